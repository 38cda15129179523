/** A collection's name, its end, and the way in for visitors: what its buttons open. */

import { confirmed, errorNotice, openDialog } from "../page/dialogs.js";
import { h } from "../page/dom.js";
import { t } from "../page/language.js";
import { address } from "../page/router.js";
import { deleteCollection, qrCode, renameCollection } from "./api.js";
import { deletionKey, pendingDeletions } from "./deletions.js";

export function showQrCode(collection) {
  const link = `${new URL("./", location.href).href.split("#")[0]}?collection=${encodeURIComponent(collection)}`;
  const dialog = h(
    "dialog",
    { class: "question qr", "aria-labelledby": "qr-title" },
    h("h2", { id: "qr-title" }, t("collection.qr.title", { name: collection })),
    h("img", { src: qrCode(collection), alt: t("collection.qr.alt", { link }) }),
    h("p", { class: "muted" }, t("collection.qr.text")),
    h("p", {}, h("a", { href: link }, link)),
    h(
      "div",
      { class: "row end" },
      h("a", { class: "button", href: qrCode(collection), download: `${collection}.svg` }, t("collection.qr.save")),
      h("button", { class: "button", autofocus: true, onclick: () => dialog.close() }, t("close")),
    ),
  );
  openDialog(dialog);
}

/** @param {boolean} isReceiving whether photos are still being added to it */
export function rename(collection, isReceiving) {
  const name = h("input", { required: true, maxlength: 200, value: collection, autocomplete: "off", autofocus: true });
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
      problem,
      h(
        "div",
        { class: "row end" },
        h("button", { class: "button", type: "button", onclick: () => dialog.close() }, t("cancel")),
        h("button", { class: "button primary", disabled: isReceiving }, t("collection.rename")),
      ),
    ),
  );

  async function submit(event) {
    event.preventDefault();
    try {
      const renamed = await renameCollection(collection, name.value.trim());
      dialog.close();
      location.replace(address("collections", renamed.id));
    } catch (error) {
      problem.replaceChildren(errorNotice(error));
    }
  }

  openDialog(dialog);
  name.select();
}

export async function remove(collection) {
  const title = t("collection.delete.title", { name: collection });
  const agreed = await confirmed({ title, text: t("collection.delete.text"), action: t("collection.delete") });
  if (agreed) removeAtOnce(collection);
}

/** Without a question, for it can be undone. */
export function removeAtOnce(collection) {
  pendingDeletions().add(deletionKey("collection", collection), t("delete.collection", { name: collection }), (options) =>
    deleteCollection(collection, options),
  );
  location.hash = address("collections");
}
