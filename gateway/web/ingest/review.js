/** The review before an upload: the photos and their places. */

import { h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { t } from "../page/language.js";
import { planUpload } from "./plan.js";

const SHOWN = 5;
const NOTHING = {
  grouping: "photo", photos: [], places: [], manifests: [], recordings: 0, skipped: 0, queries: 0, missing: [], notes: [],
};

/** The review of a plan: the photos, grouped into places; null if there is nothing to add. */
export async function review(selection, problem, { collection, place, plan: remembered, onstart, oncancel }) {
  const { sources, archives } = selection;
  const ask = (grouping) => (sources.length > 0 ? planUpload(sources, grouping) : NOTHING);
  let plan = await ask(["folder", "photo"].includes(remembered?.division) ? remembered.division : "auto");
  const { photos, manifests, skipped } = plan;
  if (photos.length + archives.length + manifests.length === 0) return null;
  const isListed = plan.grouping === "manifest" || manifests.length > 0;
  const isFoldered = photos.some(({ path }) => path.includes("/")) || sources.some(({ directory }) => directory);
  const likely = isListed ? "manifest" : remembered?.division === "one" ? "one" : plan.grouping;
  const form = h("form", { class: "review" });
  const chosen = () => new FormData(form).get("division") ?? likely;
  const planned = h("div", { class: "planned", "aria-live": "polite" });
  const start = h("button", { class: "button primary" }, startLabel(plan, archives));
  const fields = h(
    "div",
    { class: "place-fields" },
    field(t("upload.place.name"), h("input", { name: "name", maxlength: 500, required: true, value: remembered?.name })),
    field(
      t("upload.place.description"),
      h("textarea", { name: "description", rows: 2, maxlength: 20000 }, remembered?.description),
    ),
  );

  const show = () => {
    fields.hidden = chosen() !== "one";
    for (const input of fields.querySelectorAll("input, textarea")) input.disabled = fields.hidden;
    planned.replaceChildren(...(fields.hidden && !place ? firstPlaces(plan) : []));
  };
  const divide = async () => {
    const grouping = chosen();
    if (["folder", "photo"].includes(grouping) && grouping !== plan.grouping) {
      start.disabled = true;
      const other = await ask(grouping).catch(() => null); // the grouping is not changed then; sending reports the error
      if (chosen() !== grouping) return;
      plan = other ?? plan;
      start.disabled = false;
    }
    show();
  };

  form.append(
    h("h3", { tabindex: "-1" }, t("upload.review")),
    h(
      "p",
      {},
      [
        photos.length > 0 && t("photos", { count: photos.length }),
        ...archives.map(({ name }) => name),
        ...manifests.map(({ name }) => name),
        plan.recordings > 0 && t("upload.recordings", { count: plan.recordings }),
        skipped > 0 && t("upload.skipped", { count: skipped }),
        plan.queries > 0 && t("upload.queries", { count: plan.queries }),
      ]
        .filter(Boolean)
        .join(" · "),
    ),
    ...plan.notes.map(({ code, detail }) => h("p", { class: "muted" }, t(`upload.note.${code}`, { detail }))),
  );
  if (problem) form.append(notice(problem));
  if (plan.missing.length > 0) {
    form.append(notice(t("upload.missing", { count: plan.missing.length }), plan.missing.slice(0, SHOWN).join("; ")));
  }
  if (!place && photos.length > 0) {
    const counted = { places: t("places", { count: countPlaces(plan) }) };
    const folders = plan.grouping === "folder" ? t("upload.by.folder.counted", counted) : t("upload.by.folder");
    form.append(
      h(
        "fieldset",
        { onchange: divide },
        h("legend", {}, t("upload.places")),
        isListed && division("manifest", t("upload.by.manifest"), likely),
        isFoldered && !isListed && division("folder", folders, likely),
        !isListed && division("photo", t("upload.by.photo"), likely),
        !isListed && division("one", t("upload.by.one"), likely),
        fields,
      ),
      planned,
    );
  }
  form.append(
    h(
      "div",
      { class: "row" },
      start,
      h("button", { class: "button", type: "button", onclick: oncancel }, t("cancel")),
    ),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const answers = Object.fromEntries(new FormData(form));
    const whole = (file) => ({
      path: file.name,
      size: file.size,
      load: async () => file.load?.(collection) ?? file,
      collection,
      place: place ?? {},
      isArchive: true,
      alone: true,
      grouping: ["folder", "photo"].includes(answers.division) ? answers.division : "auto",
    });
    const items = [
      ...plan.photos.map((photo) => ({ ...photo, collection, place: place ?? together(answers) ?? photo.place })),
      ...archives.map(whole),
      // Last, because the places whose texts it changes must exist.
      ...(place ? [] : manifests.map(whole)),
    ];
    onstart(items, answers);
  });
  show();
  return form;
}

/** The place of all photos, if that was chosen. Its name is also its id. */
function together({ division, name, description }) {
  if (division !== "one") return null;
  return { id: name.trim().slice(0, 200), name: name.trim(), description: description.trim() };
}

/** The number of places: named ones, and photos that are places of their own. */
const countPlaces = ({ places, photos }) => places.length + photos.filter(({ place }) => !place.id).length;

/** The first places with their names and numbers of photos. */
function firstPlaces(plan) {
  const own = plan.photos.filter(({ place }) => !place.id);
  const names = [
    ...plan.places.slice(0, SHOWN).map(({ name, images }) => `${name} · ${t("photos", { count: images })}`),
    ...own.slice(0, SHOWN).map(({ path }) => path.split("/").at(-1).replace(/\.[^.]+$/, "")),
  ];
  if (names.length === 0) return [];
  return [
    h("p", {}, t("upload.planned", { count: countPlaces(plan) })),
    h("ul", {}, ...names.slice(0, SHOWN).map((name) => h("li", {}, name))),
  ];
}

function startLabel({ photos, manifests }, archives) {
  if (photos.length > 0) return t("upload.start", { count: photos.length });
  return archives.length > 0 || manifests.length === 0 ? t("upload.start.zip") : t("upload.start.texts");
}

const notice = (text, detail) =>
  h("p", { class: "notice", role: "alert" }, icon("alert"), h("span", {}, text, detail && h("span", { class: "muted", lang: "en" }, ` ${detail}`)));

const division = (value, label, likely) =>
  h("label", { class: "check" }, h("input", { type: "radio", name: "division", value, checked: value === likely }), label);

const field = (label, input) => h("label", { class: "field" }, h("span", {}, label), input);

/** Shows an upload that a reload or a crash has interrupted; it continues if the same files are chosen again. */
export const resumption = ({ done, total }, ondismiss) =>
  h(
    "div",
    { class: "notice" },
    icon("alert"),
    h(
      "div",
      {},
      h("p", { class: "notice-title" }, t("upload.interrupted", { done, total })),
      h("p", {}, t("upload.interrupted.help")),
      h("button", { class: "button small", onclick: ondismiss }, t("upload.interrupted.forget")),
    ),
  );
