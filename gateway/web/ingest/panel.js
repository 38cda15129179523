/** The way in for photos: drop or choose, review, start; then the upload's progress. */

import { announce, fileButton, h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { t } from "../page/language.js";
import { uploadProgress } from "./progress.js";
import { folderOf, fromDrop, fromFiles } from "./sources.js";

/**
 * @param {IngestQueue} queue
 * @param {{collection: string, place?: {id: string}}} target `place` fixes where all photos go
 * @returns {{element: HTMLElement, dispose: () => void}}
 */
export function uploadPanel(queue, { collection, place = null }) {
  const root = h("div", { class: "upload" });
  const leave = new AbortController();
  const progress = uploadProgress(queue, { collection });

  function draw(content) {
    root.replaceChildren(content);
  }

  const invite = (message) => draw(dropZone(receive, { message, isOnePlace: Boolean(place) }));

  async function receive(selecting) {
    draw(h("p", { class: "muted", role: "status" }, t("upload.reading")));
    let selection;
    try {
      selection = await selecting;
    } catch (error) {
      return invite(error.message); // a folder that vanished or may not be read
    }
    const problem = selection.unreadable.map((name) => t("upload.unreadable", { name })).join(" ");
    if (selection.photos.length + selection.archives.length === 0) return invite(problem || t("upload.nothing"));
    draw(review(selection, problem, { collection, place, onstart: start, oncancel: () => invite() }));
    root.querySelector("h3").focus();
  }

  function start(items) {
    invite();
    queue.add(items);
    progress.element.querySelector("h3")?.focus();
    announce(t("upload.running"));
  }

  invite();
  const accept = (event) => {
    event.preventDefault();
    root.classList.remove("dragging");
    if (event.dataTransfer?.items.length) receive(fromDrop(event.dataTransfer));
  };
  const hover = (event) => {
    event.preventDefault();
    root.classList.add("dragging");
  };
  const away = (event) => event.relatedTarget ?? root.classList.remove("dragging");
  document.addEventListener("dragover", hover, { signal: leave.signal });
  document.addEventListener("dragleave", away, { signal: leave.signal });
  document.addEventListener("drop", accept, { signal: leave.signal });
  const dispose = () => {
    leave.abort();
    progress.dispose();
  };
  return { element: h("div", { class: "upload-panel" }, root, progress.element), dispose };
}

function dropZone(receive, { message, isOnePlace }) {
  const choose = (files) => receive(fromFiles(files));
  return h(
    "div",
    { class: "dropzone" },
    icon("photo"),
    h("p", { class: "drop-title" }, t("upload.drop")),
    h("p", { class: "muted" }, t("upload.drop.help"), isOnePlace ? "" : ` ${t("upload.drop.folders")}`),
    message && h("p", { class: "notice", role: "alert" }, icon("alert"), message),
    h(
      "div",
      { class: "row" },
      fileButton({
        label: [icon("photo"), t("upload.photos")],
        multiple: true,
        accept: "image/*,.heic,.heif,.avif",
        onfiles: choose,
      }),
      fileButton({ label: [icon("folder"), t("upload.folder")], webkitdirectory: true, onfiles: choose }),
      fileButton({
        label: [icon("archive"), t("upload.zip")],
        multiple: true,
        accept: ".zip,application/zip",
        onfiles: choose,
      }),
    ),
  );
}

/** What was found, and how it is divided into places. */
function review(selection, problem, { collection, place, onstart, oncancel }) {
  const { photos, archives, skipped } = selection;
  const folders = new Set(photos.map(({ path }) => folderOf(path)).filter(Boolean));
  const isFoldered = folders.size > 0;
  const form = h("form", { class: "review" });
  const chosen = () => new FormData(form).get("division");
  const fields = h(
    "div",
    { class: "place-fields" },
    field("name", t("upload.place.name"), h("input", { name: "name", maxlength: 500, required: true })),
    field(
      "description",
      t("upload.place.description"),
      h("textarea", { name: "description", rows: 2, maxlength: 20000 }),
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
        isFoldered && division("folder", `${t("upload.by.folder")} (${t("places", { count: folders.size })})`, true),
        division("photo", t("upload.by.photo"), !isFoldered),
        division("one", t("upload.by.one"), false),
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
    onstart([
      ...photos.map((photo) => ({ ...photo, collection, place: placeOf(photo.path) })),
      ...archives.map((file) => ({
        path: file.name,
        size: file.size,
        load: async () => file,
        collection,
        place: place ?? {},
        isArchive: true,
      })),
    ]);
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

const division = (value, label, checked) =>
  h("label", { class: "check" }, h("input", { type: "radio", name: "division", value, checked }), label);

const field = (name, label, input) => h("label", { class: "field" }, h("span", {}, label), input);
