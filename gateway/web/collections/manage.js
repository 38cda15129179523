/** Dialogs of a collection: its name and language, and deleting it. */

import { collectionPath, collections } from "../page/api.js";
import { confirmed, errorNotice, openDialog } from "../page/dialogs.js";
import { h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { t, useWords } from "../page/language.js";
import { address } from "../page/router.js";
import { changeCollection } from "./api.js";
import { deleteWithUndo } from "./trash.js";

/** @param {boolean} isReceiving whether photos are still being added to it */
export async function rename(collection, isReceiving) {
  const [{ languageInput }, list] = await Promise.all([import("./texts.js"), collections(), useWords("texts/")]);
  const known = list.find(({ id }) => id === collection)?.language ?? "";
  const name = h("input", { required: true, maxlength: 200, value: collection, autocomplete: "off", autofocus: true });
  const language = languageInput({ value: known });
  const problem = h("div", {});
  const dialog = h(
    "dialog",
    { class: "question", "aria-labelledby": "rename-title" },
    h("h2", { id: "rename-title" }, t("collection.rename.title")),
    h("p", {}, t(isReceiving ? "collection.rename.busy" : "collection.rename.text")),
    h(
      "form",
      { onsubmit: submit },
      h("label", { class: "field" }, h("span", {}, t("collections.name")), name),
      h(
        "label",
        { class: "field" },
        h("span", {}, t("collection.language")),
        language.tag,
        h("small", { class: "muted" }, t("collection.language.help")),
      ),
      language.suggestions,
      problem,
      h(
        "div",
        { class: "row end" },
        h("button", { class: "button", type: "button", onclick: () => dialog.close() }, t("cancel")),
        h("button", { class: "button primary", disabled: isReceiving }, t("place.save")),
      ),
    ),
  );

  async function submit(event) {
    event.preventDefault();
    const wished = name.value.trim();
    const tag = language.tag.value.trim();
    const change = { ...(wished !== collection && { name: wished }), ...(tag !== known && { language: tag || null }) };
    try {
      const { id } = Object.keys(change).length ? await changeCollection(collection, change) : { id: collection };
      dialog.close();
      if (id !== collection) location.replace(address("collections", id));
    } catch (error) {
      const isTaken = error.code === "invalid_request" && change.name && (await isThere(wished));
      const words = isTaken && t("collection.rename.taken", { name: wished });
      problem.replaceChildren(isTaken ? h("p", { class: "notice error", role: "alert" }, icon("alert"), words) : errorNotice(error));
    }
  }

  openDialog(dialog);
  name.select();
}

const isThere = (wished) => collections().then((list) => list.some(({ id }) => id === wished), () => false);

export async function remove(collection) {
  const title = t("collection.delete.title", { name: collection });
  const agreed = await confirmed({ title, text: t("collection.delete.text"), action: t("collection.delete") });
  if (agreed) await removeAtOnce(collection);
}

/** Deletes without a confirmation, because it can be undone. */
export function removeAtOnce(collection) {
  return deleteWithUndo([collectionPath(collection)], collection).then(() => (location.hash = address("collections")));
}
