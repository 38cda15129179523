/** Imports the texts of places from CSV: first what would change, then, if confirmed, the change. */

import { upload } from "../page/api.js";
import { errorNotice, errorSentence, loadingNotice, openDialog, technicalDetails } from "../page/dialogs.js";
import { announce, focusHeading, h, refill } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { knows, t } from "../page/language.js";
import { languageName } from "./texts.js";

const LABELS = { place_name: "place.name", metadata: "place.facts", machine_translated: "import.machine", transcript: "import.transcript" };

/** @param {string} field column of a manifest, as description, hidden or description.en */
const labelOf = (field) => {
  const [column, tag] = field.split(".");
  const key = LABELS[column] ?? `place.${column}`;
  const label = knows(key) ? t(key) : column;
  return tag ? `${label} · ${languageName(tag)}` : label;
};

const textOf = (value) => {
  if (value === null || value === "") return "";
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (typeof value !== "object") return String(value);
  return Object.entries(value)
    .map(([name, fact]) => `${name}: ${typeof fact === "object" ? JSON.stringify(fact) : fact}`)
    .join("\n");
};

/** @param {File} file CSV in the form of the export, whatever its name is */
export function openImport(collection, file, ondone) {
  const content = h("div", { class: "import" }, h("h2", { id: "import-title" }, t("import.title")), loadingNotice());
  const dialog = h("dialog", { class: "question wide", "aria-labelledby": "import-title" }, content);
  const send = (isDry) =>
    upload("index/images", [["file", file, "manifest.csv"], ["collection", collection], ["dry_run", String(isDry)]], {});

  async function preview() {
    try {
      show(await send(true));
    } catch (error) {
      fill([errorNotice(error, { retry: preview })]);
    }
  }

  function show({ would_update: count, changes, results }) {
    const unused = results.filter(({ status }) => status === "rejected");
    const parts = [
      h("p", {}, count > 0 ? t("import.changes", { count }) : t("import.nothing")),
      unused.length > 0 && rejected(unused),
      h("ul", { class: "changes" }, changes.map(changeOf)),
      changes.length < count && h("p", { class: "muted" }, t("import.first", { count: changes.length })),
    ];
    fill(parts, count > 0 && h("button", { class: "button primary", onclick: apply }, t("import.apply", { count })));
  }

  async function apply(event) {
    event.target.disabled = true;
    try {
      const { updated } = await send(false);
      dialog.close();
      announce(t("import.done", { count: updated }));
      ondone();
    } catch (error) {
      fill([errorNotice(error, { retry: preview })]);
    }
  }

  function fill(parts, action = null) {
    const close = h("button", { class: "button", onclick: () => dialog.close() }, t("cancel"));
    refill(content, h("h2", { id: "import-title" }, t("import.title")), ...parts, h("div", { class: "row end" }, close, action));
    focusHeading(content);
  }

  openDialog(dialog);
  preview();
}

/** The rows that cannot be used; the server's reasons are English, for staff. */
const rejected = (results) =>
  h(
    "div",
    { class: "notice", role: "alert" },
    icon("alert"),
    h(
      "div",
      {},
      h("p", { class: "notice-title" }, t("import.unused", { count: results.length })),
      technicalDetails([h("ul", { lang: "en" }, results.slice(0, 100).map(({ reason, code }) => h("li", {}, reason ?? errorSentence({ code }))))]),
    ),
  );

const changeOf = ({ name, place_id: id, before, after }) =>
  h(
    "li",
    {},
    h("b", {}, name),
    h("span", { class: "muted" }, ` ${id}`),
    h(
      "dl",
      { class: "facts" },
      Object.keys(after).map((field) =>
        h(
          "div",
          {},
          h("dt", {}, labelOf(field)),
          h("dd", {}, textOf(before[field]) && h("del", {}, textOf(before[field])), " ", h("ins", {}, textOf(after[field]))),
        ),
      ),
    ),
  );
