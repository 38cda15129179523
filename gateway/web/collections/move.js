/** Moves photos of a place to another one. */

import { errorNotice, openDialog } from "../page/dialogs.js";
import { announce, h } from "../page/dom.js";
import { t } from "../page/language.js";
import { movePhotos } from "./api.js";
import { placeSearch } from "./place_search.js";

const SHOWN = 8;

/** @param {object[]} images ImageBody, of one place */
export function openMove(collection, images, ondone) {
  const problem = h("div", {});
  const found = h("div", { role: "radiogroup", "aria-label": t("move.to") });
  const { input: search, find, stop } = placeSearch({ collection, limit: SHOWN, found, draw });

  function draw(places, text) {
    const others = places.filter(({ id }) => id !== images[0].place.id);
    const isNew = text && !others.some(({ id, name }) => [id, name].includes(text));
    return [
      ...others.map(({ id, name, images: count }) => choice(id, `${name || t("place.unnamed")} · ${t("photos", { count })}`)),
      isNew ? choice(text.slice(0, 200), t("move.new", { name: text })) : "",
    ];
  }

  const choice = (id, words) =>
    h("label", { class: "check" }, h("input", { type: "radio", name: "to", value: id, required: true }), words);

  async function submit(event) {
    event.preventDefault();
    const answers = new FormData(event.target);
    try {
      const { moved } = await movePhotos({ collection, place_id: answers.get("to"), images: answers.getAll("image") });
      dialog.close();
      announce(t("merge.done", { count: moved }));
      ondone();
    } catch (error) {
      problem.replaceChildren(errorNotice(error));
    }
  }

  const photo = ({ id, filename, preview_url: src }) =>
    h(
      "label",
      { class: "check" },
      h("input", { type: "checkbox", name: "image", value: id, checked: images.length === 1 }),
      h("img", { src, alt: "", loading: "lazy" }),
      filename,
    );

  const dialog = h(
    "dialog",
    { class: "question wide", "aria-labelledby": "move-title" },
    h("h2", { id: "move-title" }, t("move.title")),
    h(
      "form",
      { onsubmit: submit },
      h("fieldset", { class: "moved" }, h("legend", {}, t("move.photos")), images.map(photo)),
      h("label", { class: "field" }, h("span", {}, t("move.to")), search),
      found,
      problem,
      h(
        "div",
        { class: "row end" },
        h("button", { class: "button", type: "button", onclick: () => dialog.close() }, t("cancel")),
        h("button", { class: "button primary" }, t("move.action")),
      ),
    ),
  );
  dialog.addEventListener("close", stop);
  openDialog(dialog);
  find();
}
