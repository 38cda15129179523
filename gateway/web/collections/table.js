/** The places of a collection as a table: find, select, merge, hide and delete them; their texts as CSV, out and in. */

import { placePath } from "../page/api.js";
import { errorNotice, openFetched } from "../page/dialogs.js";
import { fileButton, h } from "../page/dom.js";
import { isPlain } from "../page/facts.js";
import { icon } from "../page/icons.js";
import { currentLanguage, t } from "../page/language.js";
import { address } from "../page/router.js";
import { places, query } from "./api.js";

const TYPING_PAUSE_MS = 250;
const COLUMNS = ["place.name", "table.id", "place.description", "place.facts", "place.photos"];

export function tableView(_context, { segments: [, collection] }) {
  const leave = new AbortController();
  const selected = new Map(); // places by id, over several searches
  let shown = [];
  let cursor = null;
  let asked = 0;
  let typing = 0;

  const trouble = h("div", {});
  const rows = h("tbody", {});
  const note = h("p", { class: "muted", role: "status" });
  const more = h("button", { class: "button", hidden: true, onclick: () => load({ append: true }) }, t("more"));
  const search = h("input", { type: "search", autocomplete: "off", placeholder: t("collection.search"), oninput });
  const hiddenOnly = h("input", { type: "checkbox", onchange: () => load() });
  const all = h("input", { type: "checkbox", "aria-label": t("table.all"), onchange: () => select(shown, all.checked) });
  const count = h("b", { role: "status" });
  const action = (name, words, onclick, className = "button small") =>
    h("button", { class: className, onclick }, icon(name), t(words));
  const merge = action("folder", "table.merge", () =>
    openFetched(() => [import("./merge.js")], ({ openMerge }) => openMerge(collection, [...selected.values()], changed)),
  );
  const hide = h("button", { class: "button small", onclick: () => setAllHidden(true) }, t("place.hide"));
  const show = h("button", { class: "button small", onclick: () => setAllHidden(false) }, t("place.show"));
  const chosen = h(
    "div",
    { class: "row chosen", role: "group", "aria-label": t("table.chosen"), hidden: true },
    count,
    merge,
    hide,
    show,
    action("bin", "table.delete", remove, "button small danger"),
    action("cross", "table.clear", () => select([...selected.values()], false)),
  );

  function oninput() {
    clearTimeout(typing);
    typing = setTimeout(load, TYPING_PAUSE_MS);
  }

  const fail = (error) => trouble.replaceChildren(errorNotice(error instanceof TypeError ? { code: "network" } : error));
  const retry = () => (trouble.replaceChildren(), load());

  async function load({ append = false } = {}) {
    const request = ++asked;
    rows.setAttribute("aria-busy", "true");
    try {
      const wanted = { collection, search: search.value.trim(), hidden: hiddenOnly.checked || null };
      const page = await places({ ...wanted, cursor: append ? cursor : null }).catch(nothingIfGone);
      if (request !== asked) return;
      cursor = page.next_cursor;
      shown = append ? [...shown, ...page.places] : page.places;
      for (const place of page.places.filter(({ id }) => selected.has(id))) selected.set(place.id, place);
      note.textContent = page.total > 0 ? t("places", { count: page.total }) : t("collection.nothing");
      draw();
    } catch (error) {
      if (request === asked && !leave.signal.aborted) trouble.replaceChildren(errorNotice(error, { retry }));
    } finally {
      if (request === asked) rows.removeAttribute("aria-busy");
    }
  }

  function draw() {
    more.hidden = !cursor;
    rows.replaceChildren(...shown.map((place) => row(place, { collection, isSelected: selected.has(place.id), select })));
    drawChosen();
  }

  function drawChosen() {
    chosen.hidden = selected.size === 0;
    count.textContent = chosen.hidden ? "" : t("table.selected", { count: selected.size });
    merge.disabled = selected.size < 2;
    const hidden = [...selected.values()].filter((place) => place.hidden).length;
    hide.hidden = hidden === selected.size;
    show.hidden = hidden === 0;
    const here = shown.filter(({ id }) => selected.has(id)).length;
    all.checked = here > 0 && here === shown.length;
    all.indeterminate = here > 0 && here < shown.length;
  }

  function select(wanted, isSelected) {
    for (const place of wanted) {
      if (isSelected) selected.set(place.id, place);
      else selected.delete(place.id);
      const box = rows.querySelector(`[data-id="${CSS.escape(place.id)}"]`);
      if (box) box.checked = isSelected;
    }
    drawChosen();
  }

  async function setAllHidden(isHidden) {
    trouble.replaceChildren();
    const wanted = [...selected.values()].filter(({ hidden }) => hidden !== isHidden);
    try {
      const { setHidden } = await import("./hide.js");
      await setHidden(collection, wanted, isHidden);
    } catch (error) {
      fail(error);
    }
    changed();
  }

  async function remove() {
    trouble.replaceChildren();
    const wanted = [...selected.values()];
    try {
      const { deleteWithUndo } = await import("./trash.js");
      const paths = wanted.map(({ id }) => placePath(collection, id));
      await deleteWithUndo(paths, wanted.length > 1 ? t("places", { count: wanted.length }) : wanted[0].name);
    } catch (error) {
      fail(error);
    }
    select(wanted, false);
  }

  function changed() {
    selected.clear();
    load();
  }

  document.addEventListener("deletion", () => load(), { signal: leave.signal });
  load();
  const exported = query({ collection, language: currentLanguage() });
  const download = collection.replaceAll("/", "-");
  const element = h(
    "div",
    { class: "page" },
    h("a", { class: "back", href: address("collections", collection) }, icon("left"), collection),
    h(
      "div",
      { class: "heading" },
      h("h1", {}, t("table.title")),
      h("label", { class: "field search" }, h("span", { class: "visually-hidden" }, t("collection.search")), search),
    ),
    h(
      "section",
      {},
      h(
        "div",
        { class: "row" },
        h("a", { class: "button", href: `index/manifest${exported}`, download: `${download}.csv` }, t("table.export")),
        h("a", { class: "button", href: `index/archive${exported}`, download: `${download}.zip` }, t("table.archive")),
        fileButton({
          label: [t("table.import")],
          accept: ".csv,text/csv",
          onfiles: ([file]) =>
            openFetched(() => [import("./text_import.js")], ({ openImport }) => openImport(collection, file, changed)),
        }),
      ),
      h("p", { class: "muted" }, t("table.help")),
    ),
    trouble,
    h(
      "section",
      {},
      h("label", { class: "check" }, hiddenOnly, h("span", {}, t("table.hidden"))),
      note,
      chosen,
      h(
        "div",
        { class: "scrolled", role: "region", tabindex: "0", "aria-label": t("table.title") },
        h(
          "table",
          { class: "places" },
          h(
            "thead",
            {},
            h("tr", {}, h("td", {}, all), COLUMNS.map((words) => h("th", { scope: "col" }, t(words)))),
          ),
          rows,
        ),
      ),
      more,
    ),
  );
  const dispose = () => {
    clearTimeout(typing);
    leave.abort();
  };
  return { title: `${t("table.title")} · ${collection}`, element, dispose };
}

/** A collection that was not created explicitly is gone with its last photo. */
function nothingIfGone(error) {
  if (error.code !== "unknown_collection") throw error;
  return { places: [], total: 0, next_cursor: null };
}

function row(place, { collection, isSelected, select }) {
  const name = place.name || t("place.unnamed");
  const facts = Object.entries(place.metadata).filter(([, value]) => isPlain(value));
  return h(
    "tr",
    {},
    h(
      "td",
      {},
      h("input", {
        type: "checkbox",
        "aria-label": t("table.select", { name }),
        "data-id": place.id,
        checked: isSelected,
        onchange: (event) => select([place], event.target.checked),
      }),
    ),
    h(
      "th",
      { scope: "row" },
      h(
        "a",
        { href: address("collections", collection, "places", place.id) },
        place.preview_url && h("img", { src: place.preview_url, alt: "", loading: "lazy" }),
        name,
      ),
      place.hidden && h("span", { class: "muted" }, t("place.hidden")),
    ),
    h("td", {}, place.id),
    h("td", {}, h("div", { class: "clipped" }, place.description)),
    h("td", {}, h("div", { class: "clipped" }, facts.map(([fact, value]) => `${fact}: ${value}`).join("\n"))),
    h("td", { class: "number" }, place.images.toLocaleString()),
  );
}
