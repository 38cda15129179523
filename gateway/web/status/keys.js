/** The keys of the server, for admins: create and revoke; for everybody else, the collections of their key. */

import { changeJson, collections, json } from "../page/api.js";
import { confirmed, errorNotice, openDialog } from "../page/dialogs.js";
import { announce, h } from "../page/dom.js";
import { day, t } from "../page/language.js";

const ROLES = ["match", "manage", "admin"];

/**
 * @param {object[]} keys KeyBody
 * @param {() => void} reload called after a change
 */
export async function keysPanel(keys, reload) {
  const trouble = h("div", {});
  const attempt = (action) => action().catch((error) => trouble.replaceChildren(errorNotice(error)));
  const name = h("input", { name: "key", required: true, maxlength: 64, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", autocomplete: "off" });
  const role = h("select", {}, ROLES.map((value) => h("option", { value }, t(`status.role.${value}`))));
  const existing = await collections().catch(() => []); // keys for all collections can still be created
  const choice = collectionChoice(existing.map(({ id }) => id), role);

  const create = () =>
    attempt(async () => {
      const wanted = { name: name.value.trim(), role: role.value, collections: choice.chosen() };
      const made = await changeJson("POST", "session/keys", wanted);
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
      choice.element,
      h("button", { class: "button primary" }, t("keys.create")),
    ),
    trouble,
  ];
}

/** All collections or some of them, for a key whose role allows to restrict it. */
function collectionChoice(names, role) {
  const boxes = names.map((value) => h("input", { type: "checkbox", value, onchange: draw }));
  const all = h("input", { type: "checkbox", checked: true, onchange: draw });
  const some = h("div", { hidden: true }, boxes.map((box) => h("label", { class: "check" }, box, box.value)));
  const element = h(
    "fieldset",
    { class: "field", hidden: names.length === 0 },
    h("legend", {}, t("keys.collections")),
    h("label", { class: "check" }, all, t("keys.collections.all")),
    some,
  );
  const isForAll = () => all.checked || role.value === "admin";
  const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);

  function draw() {
    element.hidden = names.length === 0 || role.value === "admin";
    some.hidden = all.checked;
    boxes[0]?.setCustomValidity(isForAll() || chosen().length > 0 ? "" : t("keys.collections.none"));
  }
  role.addEventListener("change", draw);
  return { element, chosen: () => (isForAll() ? null : chosen()) };
}

const listed = (names) => new Intl.ListFormat(document.documentElement.lang).format(names);

/** Tells the user of a restricted key which collections it is for. */
export const restriction = (names) => h("p", {}, t("keys.collections.self", { collections: listed(names) }));

const row = ({ name, role, created, collections: only }, onrevoke) =>
  h(
    "li",
    {},
    h("strong", {}, name),
    h("button", { class: "button small danger", "aria-label": t("keys.revoke.label", { name }), onclick: onrevoke }, t("keys.revoke")),
    h(
      "span",
      { class: "muted" },
      [t(`status.role.${role}`), only && t("keys.collections.only", { collections: listed(only) }), day(created)]
        .filter(Boolean)
        .join(" · "),
    ),
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
