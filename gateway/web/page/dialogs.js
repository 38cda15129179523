/** Dialogs and error messages. */

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { isStaff } from "./identity.js";
import { currentLanguage, duration, knows, t } from "./language.js";

/** Open a modal dialog that is removed when it is closed, and closed when the page is left. */
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

/**
 * Open a part of the page that is fetched at a tap: `open` gets what the first of the promises has become.
 * Nothing opens when the page was left meanwhile.
 */
export async function openFetched(fetchParts, open) {
  const page = location.hash;
  const fetched = await Promise.all(fetchParts()).catch(() => null);
  if (location.hash !== page) return;
  if (fetched) return open(fetched[0]);
  const retry = () => (dialog.close(), openFetched(fetchParts, open));
  const dialog = openDialog(h("dialog", { class: "question" }, errorNotice({ code: "network" }, { retry })));
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

/** Stands where something is being fetched. */
export const loadingNotice = () => h("p", { class: "muted", role: "status", "aria-busy": "true" }, t("loading"));

/**
 * The page's text of an error. The server's text is English and technical: it follows
 * in English, and in another language only staff can unfold it.
 */
export function errorNotice(error, { retry, retryLabel = t("retry") } = {}) {
  const words = [
    error.message && h("p", { lang: "en" }, error.message),
    error.accepted && h("p", { class: "muted", lang: "en" }, t("error.accepted", { accepted: error.accepted })),
  ].filter(Boolean);
  return h(
    "div",
    { class: "notice error", role: "alert" },
    icon("alert"),
    h(
      "div",
      {},
      h("p", { class: "notice-title" }, errorSentence(error)),
      currentLanguage() === "en" ? words : technicalDetails(words),
      retry && !error.isFinal && h("button", { class: "button small", onclick: retry }, icon("refresh"), retryLabel),
    ),
  );
}

/** The server's English text, folded, for staff; nothing for visitors. */
export function technicalDetails(words) {
  if (!isStaff() || words.length === 0) return null;
  return h("details", { class: "details" }, h("summary", {}, t("error.details")), words);
}

// The page's labels of the server's fields.
const FIELDS = {
  name: "collections.name",
  collection: "collections.name",
  place_name: "place.name",
  description: "place.description",
  metadata: "place.facts",
  latitude: "place.latitude",
  longitude: "place.longitude",
};

/** The text of an error's code, with the invalid field or the time to wait. */
export function errorSentence({ code, field, retryAfterS }) {
  if (code === "invalid_request" && knows(FIELDS[field])) return t("error.field", { field: t(FIELDS[field]) });
  const key = knows(`error.${code}`) ? `error.${code}` : "error.internal";
  return t(key, { time: duration(retryAfterS ?? 60) });
}
