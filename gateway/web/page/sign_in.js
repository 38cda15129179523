/** Asks for a key. It is sent once and not stored; scripts cannot read the session cookie of the answer. */

import { fetchJson } from "./api.js";
import { errorSentence, openDialog } from "./dialogs.js";
import { h } from "./dom.js";
import { identify } from "./identity.js";
import { t } from "./language.js";

/** The answer sets a cookie. */
const signIn = (key, remember) =>
  fetchJson(`session?remember=${remember}`, { method: "POST", headers: { Authorization: `Bearer ${key}` } });

/**
 * @param {ApiError} [error] of the refused request
 * @returns {Promise<boolean>} whether a key was accepted
 */
export function askForKey(error) {
  return new Promise((resolve) => {
    const key = h("input", { type: "password", required: true, autocomplete: "current-password", autofocus: true });
    const remember = h("input", { type: "checkbox" });
    const problem = h("p", { class: "problem", role: "alert" }, error?.code === "forbidden" && errorSentence(error));
    const dialog = h(
      "dialog",
      { class: "question", "aria-labelledby": "key-title" },
      h("h2", { id: "key-title" }, t("key.title")),
      h("p", {}, t("key.text")),
      h(
        "form",
        { onsubmit: submit },
        h("label", { class: "field" }, h("span", {}, t("key.label")), key),
        h("label", { class: "check" }, remember, t("key.remember")),
        problem,
        h(
          "div",
          { class: "row end" },
          h("button", { class: "button", type: "button", onclick: () => dialog.close() }, t("cancel")),
          h("button", { class: "button primary" }, t("key.send")),
        ),
      ),
    );

    async function submit(event) {
      event.preventDefault();
      try {
        await signIn(key.value.trim(), remember.checked);
        await identify();
        dialog.close("accepted");
      } catch (refusal) {
        problem.textContent = refusal.code === "unauthorized" ? t("key.unknown") : errorSentence(refusal);
        key.select();
      }
    }

    dialog.addEventListener("close", () => resolve(dialog.returnValue === "accepted"));
    openDialog(dialog);
  });
}
