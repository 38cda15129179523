/** The status page: versions, readiness, times, and keys. */

import { apiError, json, networkError, parsed, session, signOut } from "../page/api.js";
import { errorNotice, loadingNotice, technicalDetails } from "../page/dialogs.js";
import { h } from "../page/dom.js";
import { facts, stageName } from "../page/facts.js";
import { icon } from "../page/icons.js";
import { identify } from "../page/identity.js";
import { currentLanguage, knows, milliseconds, t, useWords } from "../page/language.js";
import { askForKey } from "../page/sign_in.js";

/** ReadyBody, also with status 503. */
async function readiness() {
  let response;
  try {
    response = await fetch("health/ready", { cache: "no-store" });
  } catch {
    throw networkError();
  }
  const body = parsed(await response.text());
  if (body && "ready" in body) return body;
  throw apiError(response.status, body, null);
}

export function statusView() {
  const content = h("div", { class: "report" }, loadingNotice());
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
      const running = await json("version"); // first, because it may ask for a key, with which the other requests return more
      const [ready, who] = await Promise.all([readiness(), session()]);
      const known = who.role === "admin" ? await json("session/keys") : null;
      content.replaceChildren(...report(ready, running, who), ...keysOf(who, known, await keysContent(who, known)));
    } catch (error) {
      content.replaceChildren(errorNotice(error, { retry: load }));
    }
  }

  /** For admins the keys, for a restricted key its collections. */
  async function keysContent(who, known) {
    if (!known?.guarded && !who.collections) return [];
    const [keys] = await Promise.all([import("./keys.js"), useWords("keys/")]);
    return known ? keys.keysPanel(known.keys, load) : [keys.restriction(who.collections)];
  }

  /** The caller, sign in and out, and for admins the keys. */
  function keysOf({ name, role }, known, panel) {
    if (!name && known?.guarded === false) return [section(t("status.keys"), h("p", {}, t("status.keys.open")))];
    const change = async () => {
      if (name) await signOut().then(identify);
      if (name || (await askForKey())) load();
    };
    return [
      section(
        t("status.keys"),
        h("p", {}, name ? t("status.keys.self", { name, role: t(`status.role.${role}`) }) : t("key.none")),
        ...panel,
        h("button", { class: "button", onclick: change }, t(name ? "key.out" : "key.send")),
      ),
    ];
  }

  load();
  return { title: t("status.title"), element: root };
}

function report(ready, running, who) {
  const { parts, ...gateway } = ready;
  const { stage_ms: stages, recent_matches: count, ...details } = gateway.details;
  return [
    verdict(ready.ready && !ready.reason, "status.ready", "status.unready"), // ready with a reason: it works, but not fully
    h("ul", { class: "parts" }, [{ ...gateway, details }, ...Object.values(parts)].map(partCard)),
    who.role !== "admin" && h("p", { class: "muted" }, t("status.details.admin")),
    stages && section(t("status.times"), ...times(stages, count)),
    section(
      t("status.running"),
      facts(
        [
          [t("status.version"), running.version],
          [t("status.encoder"), running.encoder ?? t("status.none")],
          [t("status.verifier"), running.verifier ?? t("status.none")],
          ["Python", running.python],
        ],
        "facts panel",
      ),
    ),
  ].filter(Boolean);
}

const section = (title, ...content) => h("section", {}, h("h2", {}, title), ...content);

const verdict = (isGood, good, bad) =>
  h("p", { class: `verdict ${isGood ? "good" : "bad"}` }, icon(isGood ? "check" : "alert"), t(isGood ? good : bad));

function partCard({ process, ready, reason, details }) {
  return h(
    "li",
    { class: "panel" },
    h("h2", {}, worded("status.part", process)),
    verdict(ready, "status.part.ready", "status.part.unready"),
    reason && serverWords(h("p", { lang: "en" }, reason)),
    facts(shown(details ?? {})),
  );
}

const serverWords = (words) => (currentLanguage() === "en" ? words : technicalDetails([words]));

/** Names and values of a part's details; a current number is shown with its limit. */
function shown(details) {
  return Object.entries(details)
    .filter(([name]) => !/_at_most$|^(encod|verifi)er$/.test(name)) // these are shown below
    .map(([name, value]) => {
      const most = details[name.replace(/_at_work$/, "_at_most")];
      const isOfMost = name.endsWith("_at_work") && most !== undefined;
      return [worded("status.detail", name), isOfMost ? t("status.of_most", { value, most }) : worth(value)];
    });
}

function worth(value) {
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (typeof value === "number") return value.toLocaleString(document.documentElement.lang);
  if (value === null) return t("status.none");
  if (typeof value === "string") return knows(`status.value.${value}`) ? t(`status.value.${value}`) : value;
  return Object.entries(value)
    .map(([name, value]) => `${name}: ${worth(value)}`)
    .join(", ");
}

/** The page's text for a name of the server; an unknown name is shown unchanged. */
const worded = (group, name) => (knows(`${group}.${name}`) ? t(`${group}.${name}`) : name.replaceAll("_", " "));

/** The median and 95th percentile of every stage, as bars relative to the longest. */
function times(stages, count) {
  if (count === 0) return [h("p", { class: "muted" }, t("status.times.none"))];
  const longest = Math.max(...Object.values(stages).map(({ p95 }) => p95), 1);
  const row = ([stage, { median, p95 }]) =>
    h(
      "tr",
      { class: stage.endsWith("total") ? "sum" : null },
      h("th", { scope: "row" }, stageName(stage)),
      h("td", {}, milliseconds(median)),
      h("td", {}, milliseconds(p95)),
      h("td", { class: "meter", "aria-hidden": "true" }, h("meter", { max: longest, value: median })),
    );
  const head = (key) => h("th", { scope: "col" }, t(key));
  return [
    h("p", { class: "muted" }, t("status.times.about", { count })),
    h(
      "table",
      { class: "times panel" },
      h("thead", {}, h("tr", {}, head("status.times.stage"), head("status.times.median"), head("status.times.p95"), h("td", { class: "meter" }))),
      h("tbody", {}, Object.entries(stages).map(row)),
    ),
  ];
}
