/** What is about to be added, and which of it shows the same place. */

import { h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { t } from "../page/language.js";
import { folderOf } from "./sources.js";

/** What was found, and how it is divided into places. */
export function review(selection, problem, { collection, place, plan, onstart, oncancel }) {
  const { photos, archives, skipped } = selection;
  const folders = new Set(photos.map(({ path }) => folderOf(path)).filter(Boolean));
  const isFoldered = folders.size > 0;
  const likely = plan && (isFoldered || plan.division !== "folder") ? plan.division : isFoldered ? "folder" : "photo";
  const form = h("form", { class: "review" });
  const chosen = () => new FormData(form).get("division");
  const fields = h(
    "div",
    { class: "place-fields" },
    field(t("upload.place.name"), h("input", { name: "name", maxlength: 500, required: true, value: plan?.name })),
    field(
      t("upload.place.description"),
      h("textarea", { name: "description", rows: 2, maxlength: 20000 }, plan?.description),
    ),
  );

  const showFields = () => {
    fields.hidden = chosen() !== "one";
    for (const input of fields.querySelectorAll("input, textarea")) input.disabled = fields.hidden;
  };

  form.append(
    h("h3", { tabindex: "-1" }, t("upload.review")),
    h(
      "p",
      {},
      [
        photos.length > 0 && t("photos", { count: photos.length }),
        ...archives.map(({ name }) => name),
        skipped > 0 && t("upload.skipped", { count: skipped }),
      ]
        .filter(Boolean)
        .join(" · "),
    ),
  );
  if (problem) form.append(h("p", { class: "notice", role: "alert" }, icon("alert"), problem));
  if (!place && photos.length > 0) {
    form.append(
      h(
        "fieldset",
        { onchange: showFields },
        h("legend", {}, t("upload.places")),
        isFoldered && division("folder", `${t("upload.by.folder")} (${t("places", { count: folders.size })})`, likely),
        division("photo", t("upload.by.photo"), likely),
        division("one", t("upload.by.one"), likely),
        fields,
      ),
    );
  }
  form.append(
    h(
      "div",
      { class: "row" },
      h(
        "button",
        { class: "button primary" },
        photos.length > 0 ? t("upload.start", { count: photos.length }) : t("upload.start.zip"),
      ),
      h("button", { class: "button", type: "button", onclick: oncancel }, t("cancel")),
    ),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const answers = new FormData(form);
    const placeOf = (path) => place ?? divided(answers, path);
    const items = [
      ...photos.map((photo) => ({ ...photo, collection, place: placeOf(photo.path) })),
      ...archives.map((file) => ({
        path: file.name,
        size: file.size,
        load: async () => file,
        collection,
        place: place ?? {},
        isArchive: true,
      })),
    ];
    onstart(items, Object.fromEntries(answers));
  });
  showFields();
  return form;
}

/** The place a photo belongs to, by the division the person chose. A place's name serves as its id. */
function divided(answers, path) {
  if (answers.get("division") === "one") {
    const name = answers.get("name").trim();
    return { id: name.slice(0, 200), name, description: answers.get("description").trim() };
  }
  const folder = answers.get("division") === "folder" ? folderOf(path) : null;
  return folder ? { id: folder.slice(0, 200), name: folder } : {};
}

const division = (value, label, likely) =>
  h("label", { class: "check" }, h("input", { type: "radio", name: "division", value, checked: value === likely }), label);

const field = (label, input) => h("label", { class: "field" }, h("span", {}, label), input);
