/** Questions and messages that stand above the page. */

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./language.js";

/** Open a modal dialog that removes itself when closed, and closes when the page beneath it is left. */
export function openDialog(dialog) {
  const left = () => dialog.close();
  document.body.append(dialog);
  addEventListener("hashchange", left);
  dialog.addEventListener("close", () => {
    removeEventListener("hashchange", left);
    dialog.remove();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // the backdrop
  dialog.showModal();
  return dialog;
}

/** @returns {Promise<boolean>} whether the person agreed */
export function confirmed({ title, text, action }) {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { class: "question", "aria-labelledby": "question-title" },
      h("h2", { id: "question-title" }, title),
      h("p", {}, text),
      h(
        "div",
        { class: "row end" },
        h("button", { class: "button", autofocus: true, onclick: () => dialog.close() }, t("cancel")),
        h("button", { class: "button danger", onclick: () => dialog.close("yes") }, action),
      ),
    );
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"));
    openDialog(dialog);
  });
}

/** What went wrong: our heading for the code, then the server's own sentence. */
export function errorNotice(error, { retry, retryLabel = t("retry") } = {}) {
  return h(
    "div",
    { class: "notice error", role: "alert" },
    icon("alert"),
    h(
      "div",
      {},
      h("p", { class: "notice-title" }, errorTitle(error)),
      error.message && h("p", { lang: "en" }, error.message),
      error.accepted && h("p", { class: "muted" }, t("error.accepted", { accepted: error.accepted })),
      retry && h("button", { class: "button small", onclick: retry }, icon("refresh"), retryLabel),
    ),
  );
}

const TITLES = {
  invalid_image: "error.image",
  unsupported_format: "error.image",
  image_too_large: "error.large",
  unknown_collection: "error.collection",
  overloaded: "error.busy",
  retrieval_unavailable: "error.unavailable",
  verifier_unavailable: "error.unavailable",
  backend_unavailable: "error.unavailable",
  gallery_unavailable: "error.unavailable",
  deadline_exceeded: "error.slow",
  upload_too_slow: "error.network",
};

/** Our sentence for what went wrong. */
export const errorTitle = ({ code }) => t(code === "network" ? "error.network" : (TITLES[code] ?? "error.unknown"));
