/** What runs and whether it is ready. */

import { readiness, version } from "../page/api.js";
import { errorNotice } from "../page/dialogs.js";
import { h } from "../page/dom.js";
import { facts } from "../page/facts.js";
import { icon } from "../page/icons.js";
import { t } from "../page/language.js";

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
      const [ready, running] = await Promise.all([readiness(), version()]);
      content.replaceChildren(...report(ready, running));
    } catch (error) {
      content.replaceChildren(errorNotice(error, { retry: load }));
    }
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
