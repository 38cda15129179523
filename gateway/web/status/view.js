/** What runs and whether it is ready. */

import { readiness, version } from "../page/api.js";
import { errorNotice } from "../page/dialogs.js";
import { h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { t } from "../page/language.js";

export function statusView() {
  const content = h("div", { "aria-live": "polite" });
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
    h("p", { class: `verdict ${ready.ready ? "good" : "bad"}` }, icon(ready.ready ? "check" : "alert"), t(ready.ready ? "status.ready" : "status.unready")),
    h("ul", { class: "parts" }, [gateway, ...Object.values(parts)].map(partCard)),
    h("h2", {}, t("status.running")),
    h(
      "dl",
      { class: "facts panel" },
      fact(t("status.version"), running.version),
      fact(t("status.encoder"), running.encoder ?? t("status.none")),
      fact(t("status.verifier"), running.verifier ?? t("status.none")),
      fact("Python", running.python),
    ),
  ];
}

function partCard({ process, ready, reason, details }) {
  return h(
    "li",
    { class: "panel" },
    h("h2", {}, process),
    h("p", { class: `verdict ${ready ? "good" : "bad"}` }, icon(ready ? "check" : "alert"), t(ready ? "status.part.ready" : "status.part.unready")),
    reason && h("p", {}, reason),
    h("dl", { class: "facts" }, Object.entries(details ?? {}).map(([name, value]) => fact(name.replaceAll("_", " "), plain(value)))),
  );
}

const plain = (value) => (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));

const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
