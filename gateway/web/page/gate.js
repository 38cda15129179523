/** Shown to visitors instead of the operator's views: the sign-in for staff. */

import { session, signOut } from "./api.js";
import { h } from "./dom.js";
import { identify } from "./identity.js";
import { t } from "./language.js";
import { askForKey } from "./sign_in.js";

export function gateView() {
  const who = h("p", { class: "muted" });
  const leave = h("button", { class: "button", hidden: true, onclick: () => signOut().then(identify) }, t("key.out"));
  session().then(
    ({ name, role }) => {
      if (!name) return;
      who.textContent = t("status.keys.self", { name, role: t(`status.role.${role}`) });
      leave.hidden = false;
    },
    () => {}, // the sign-in dialog shows the error
  );
  const element = h(
    "div",
    { class: "page" },
    h("h1", {}, t("gate.title")),
    h("p", {}, t("gate.text")),
    who,
    h("div", { class: "row" }, h("button", { class: "button primary", onclick: () => askForKey() }, t("key.send")), leave),
  );
  return { title: t("gate.title"), element };
}
