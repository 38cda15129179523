/** One collection: add photos, find a place. */

import { uploadPanel } from "../ingest/panel.js";
import { collections } from "../page/api.js";
import { errorNotice } from "../page/dialogs.js";
import { h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { currentLanguage, t, useWords } from "../page/language.js";
import { address, matchAddress } from "../page/router.js";
import { places, sample } from "./api.js";
import { deskIcon } from "./icons.js";
import { foldedSection } from "./section.js";

const TYPING_PAUSE_MS = 250;

export function collectionView({ queue, session }, { segments: [, collection] }) {
  const leave = new AbortController();
  const panel = uploadPanel(queue, { collection });
  const trouble = h("div", {});
  const tell = (error) => trouble.replaceChildren(errorNotice(error instanceof TypeError ? { code: "network" } : error));
  const manage = manageButtons(collection, queue, tell);
  const part = (title, content) => foldedSection(t(title), async (section) => (await content())(collection, section));
  const folded = [
    part("calibration.title", async () => (await import("./calibration.js")).calibrationContent),
    part("health.title", async () => (await Promise.all([import("./health.js"), useWords("health/")]))[0].healthContent),
    part("branding.section", async () => (await Promise.all([import("./branding.js"), useWords("branding/")]))[0].brandingContent),
    part("matches.title", async () => (await import("./matches.js")).matchesContent),
  ];
  const about = h("div", { hidden: true }); // filled for the sample collection
  const behind = h("div", { hidden: true }, folded.map(({ element }) => element));
  const counts = h("p", { class: "muted" });
  const visit = h(
    "a",
    { class: "button", href: matchAddress(collection) },
    icon("camera"),
    t("collection.visit"),
  );
  const grid = h("ul", { class: "cards" });
  const note = h("p", { class: "muted", role: "status" });
  const more = h("button", { class: "button", hidden: true, onclick: () => load({ append: true }) }, t("more"));
  const search = h("input", { type: "search", autocomplete: "off", oninput: onsearch });
  let cursor = null;
  let typing = 0;
  let asked = 0;
  let isKnown = true;

  function onsearch() {
    clearTimeout(typing);
    typing = setTimeout(load, TYPING_PAUSE_MS);
  }

  async function load({ append = false } = {}) {
    const request = ++asked;
    if (!isKnown) return fill({ places: [], total: 0, next_cursor: null }, false);
    grid.setAttribute("aria-busy", "true");
    try {
      const page = await places({ collection, search: search.value.trim(), cursor: append ? cursor : null });
      if (request === asked) fill(page, append);
    } catch (error) {
      if (request !== asked || leave.signal.aborted) return;
      grid.replaceChildren(h("li", { class: "whole" }, errorNotice(error, { retry: () => load() })));
    } finally {
      if (request === asked) grid.removeAttribute("aria-busy");
    }
  }

  function fill(page, append) {
    cursor = page.next_cursor;
    more.hidden = !cursor;
    const cards = page.places.map((place) => placeCard(collection, place));
    if (append) grid.append(...cards);
    else grid.replaceChildren(...cards);
    note.textContent = page.total > 0 ? "" : t(search.value.trim() ? "collection.nothing" : "collection.none");
  }

  async function count() {
    const list = await collections().catch(() => null); // load() reports a broken connection
    const known = list?.find(({ id }) => id === collection);
    const renamed = !known && list?.find(({ former_names: former }) => former.includes(collection));
    if (renamed) location.replace(address("collections", renamed.id));
    isKnown = !list || Boolean(known);
    manage.hidden = !known;
    visit.hidden = behind.hidden = !known?.images;
    counts.textContent = known
      ? `${t("places", { count: known.places })} · ${t("photos", { count: known.images })}`
      : t("collection.noname");
  }

  async function tellOfSample() {
    const state = await sample(currentLanguage());
    if (state.collection !== collection || state.state !== "ready") return;
    const [{ samplePanel }] = await Promise.all([import("./sample.js"), useWords("sample/")]);
    about.replaceWith(samplePanel(state, session));
  }

  tellOfSample().catch(() => {}); // only a hint is missing; other requests report the error
  const refresh = () => count().then(() => load());
  queue.addEventListener("change", () => ["finished", "paused", "stopped"].includes(queue.state) && refresh(), {
    signal: leave.signal,
  });
  document.addEventListener("deletion", refresh, { signal: leave.signal });
  refresh();

  const element = h(
    "div",
    { class: "page" },
    h("a", { class: "back", href: address("collections") }, icon("left"), t("collection.back")),
    h("div", { class: "heading" }, h("div", {}, h("h1", {}, collection), counts), visit),
    manage,
    trouble,
    about,
    h("section", {}, h("h2", {}, t("collection.add")), panel.element),
    behind,
    h(
      "section",
      {},
      h(
        "div",
        { class: "heading" },
        h("h2", {}, t("collection.places")),
        h("label", { class: "field search" }, h("span", { class: "visually-hidden" }, t("collection.search")), search),
      ),
      h("a", { href: address("collections", collection, "table") }, t("collection.table")),
      note,
      grid,
      more,
    ),
  );
  search.placeholder = t("collection.search");
  const dispose = () => {
    clearTimeout(typing);
    leave.abort();
    panel.dispose();
    for (const section of folded) section.dispose();
  };
  return { title: collection, element, dispose };
}

const fetchManage = async () => (await Promise.all([import("./manage.js"), useWords("manage/")]))[0];

function manageButtons(collection, queue, tell) {
  const isReceiving = () => queue.isUnfinished && queue.items.some((item) => item.collection === collection);
  const link = (view, sign, words) =>
    h("a", { class: "button", href: address("collections", collection, view) }, deskIcon(sign), t(words));
  const button = (sign, words, open, className = "button") =>
    h("button", { class: className, onclick: () => fetchManage().then(open).catch(tell) }, sign, t(words));
  return h(
    "div",
    { class: "row manage" },
    link("poster", "qr", "collection.qr"),
    link("inbox", "inbox", "collection.inbox"),
    link("statistics", "chart", "collection.statistics"),
    button(deskIcon("pencil"), "collection.rename", ({ rename }) => rename(collection, isReceiving())),
    button(icon("bin"), "collection.delete", ({ remove }) => remove(collection), "button danger"),
  );
}

function placeCard(collection, place) {
  return h(
    "li",
    {},
    h(
      "a",
      { class: "card", href: address("collections", collection, "places", place.id) },
      place.preview_url
        ? h("img", { src: place.preview_url, alt: "", loading: "lazy" })
        : h("span", { class: "cover" }),
      h("span", { class: "card-name" }, place.name || t("place.unnamed")),
      h("span", { class: "muted" }, t("photos", { count: place.images }), place.hidden && ` · ${t("place.hidden")}`),
    ),
  );
}
