/** The keys of the server, for admins: create and revoke. */

import { changeJson, json } from "../page/api.js";
import { confirmed, errorNotice, openDialog } from "../page/dialogs.js";
import { announce, h } from "../page/dom.js";
import { day, t } from "../page/language.js";

const ROLES = ["match", "manage", "admin"];

/**
 * @param {object[]} keys KeyBody
 * @param {() => void} reload called after a change
 */
export function keysPanel(keys, reload) {
  const trouble = h("div", {});
  const attempt = (action) => action().catch((error) => trouble.replaceChildren(errorNotice(error)));
  const name = h("input", { name: "key", required: true, maxlength: 64, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", autocomplete: "off" });
  const role = h("select", {}, ROLES.map((value) => h("option", { value }, t(`status.role.${value}`))));

  const create = () =>
    attempt(async () => {
      const made = await changeJson("POST", "session/keys", { name: name.value.trim(), role: role.value });
      showKey(made);
      reload();
    });

  const revoke = (key) =>
    attempt(async () => {
      const title = t("keys.revoke.title", { name: key });
      if (!(await confirmed({ title, text: t("keys.revoke.text"), action: t("keys.revoke") }))) return;
      await json(`session/keys/${encodeURIComponent(key)}`, { method: "DELETE" });
      announce(t("keys.revoked", { name: key }));
      reload();
    });

  return [
    h("ul", { class: "recent panel" }, keys.map((key) => row(key, () => revoke(key.name)))),
    h(
      "form",
      {
        class: "creation",
        onsubmit: (event) => {
          event.preventDefault();
          create();
        },
      },
      h("label", { class: "field" }, h("span", {}, t("keys.name")), name, h("small", { class: "muted" }, t("keys.name.help"))),
      h("label", { class: "field" }, h("span", {}, t("keys.role")), role),
      h("button", { class: "button primary" }, t("keys.create")),
    ),
    trouble,
  ];
}

const row = ({ name, role, created }, onrevoke) =>
  h(
    "li",
    {},
    h("strong", {}, name),
    h("button", { class: "button small danger", "aria-label": t("keys.revoke.label", { name }), onclick: onrevoke }, t("keys.revoke")),
    h("span", { class: "muted" }, `${t(`status.role.${role}`)} · ${day(created)}`),
  );

/** Shows a new key; nobody can read it again. */
function showKey({ name, key }) {
  const told = h("p", { role: "status" });
  const value = h("input", { readonly: true, value: key, "aria-label": t("keys.made.title", { name }), onfocus: () => value.select() });
  const copy = async () => {
    value.select();
    try {
      await navigator.clipboard.writeText(key);
      told.textContent = t("keys.copied");
    } catch {
      told.textContent = t("keys.copy.yourself"); // over plain HTTP browsers have no clipboard; it is selected
    }
  };
  const dialog = h(
    "dialog",
    { class: "question", "aria-labelledby": "made-title" },
    h("h2", { id: "made-title" }, t("keys.made.title", { name })),
    h("p", {}, t("keys.made.text")),
    value,
    told,
    h(
      "div",
      { class: "row end" },
      h("button", { class: "button", onclick: copy }, t("keys.copy")),
      h("button", { class: "button primary", onclick: () => dialog.close() }, t("close")),
    ),
  );
  openDialog(dialog);
}
