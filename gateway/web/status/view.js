/** What runs and whether it is ready. */

import { readiness, session, signOut, version } from "../page/api.js";
import { errorNotice } from "../page/dialogs.js";
import { h } from "../page/dom.js";
import { facts } from "../page/facts.js";
import { icon } from "../page/icons.js";
import { t } from "../page/language.js";
import { askForKey } from "../page/sign_in.js";

export function statusView() {
  const content = h("div", { "aria-live": "polite" }, h("p", { class: "muted" }, t("loading")));
  const root = h(
    "div",
    { class: "page status" },
    h(
      "div",
      { class: "heading" },
      h("h1", {}, t("status.title")),
      h("button", { class: "button", onclick: load }, icon("refresh"), t("status.refresh")),
    ),
    content,
    h("p", {}, h("a", { href: "docs" }, t("status.api"))),
  );

  async function load() {
    try {
      const running = await version(); // may ask for a key, which shows more of the rest
      const [ready, who] = await Promise.all([readiness(), session()]);
      content.replaceChildren(...report(ready, running), ...keyOf(who));
    } catch (error) {
      content.replaceChildren(errorNotice(error, { retry: load }));
    }
  }

  /** The way in and out; nothing where the server asks nobody for a key. */
  function keyOf({ name, role }) {
    if (!name && role === "admin") return [];
    const change = async () => (name ? await signOut() : await askForKey()) !== false && load();
    return [
      h("h2", {}, t("key.label")),
      h("p", {}, name ? `${name} (${role})` : t("key.none")),
      h("button", { class: "button", onclick: change }, t(name ? "key.out" : "key.send")),
    ];
  }

  load();
  return { title: t("status.title"), element: root };
}

function report(ready, running) {
  const { parts, ...gateway } = ready;
  return [
    h(
      "p",
      { class: `verdict ${ready.ready ? "good" : "bad"}` },
      icon(ready.ready ? "check" : "alert"),
      t(ready.ready ? "status.ready" : "status.unready"),
    ),
    h("ul", { class: "parts" }, [gateway, ...Object.values(parts)].map(partCard)),
    h("h2", {}, t("status.running")),
    facts(
      [
        [t("status.version"), running.version],
        [t("status.encoder"), running.encoder ?? t("status.none")],
        [t("status.verifier"), running.verifier ?? t("status.none")],
        ["Python", running.python],
      ],
      "facts panel",
    ),
  ];
}

function partCard({ process, ready, reason, details }) {
  return h(
    "li",
    { class: "panel" },
    h("h2", {}, process),
    h(
      "p",
      { class: `verdict ${ready ? "good" : "bad"}` },
      icon(ready ? "check" : "alert"),
      t(ready ? "status.part.ready" : "status.part.unready"),
    ),
    reason && h("p", {}, reason),
    facts(Object.entries(details ?? {}).map(([name, value]) => [name.replaceAll("_", " "), plain(value)])),
  );
}

const plain = (value) => (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));
