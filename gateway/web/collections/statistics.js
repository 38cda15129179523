/** How a collection is used: figures, plots and tables of the answers on record, without their photos. */

import { ApiError, collectionPath, json } from "../page/api.js";
import { errorNotice, loadingNotice } from "../page/dialogs.js";
import { h, refill, styled, svg } from "../page/dom.js";
import { facts } from "../page/facts.js";
import { icon } from "../page/icons.js";
import { currentLanguage, day, percent, t } from "../page/language.js";
import { address } from "../page/router.js";
import { query } from "./api.js";

const PERIODS = [7, 30, 90, 180, 365];
const FIRST_PERIOD = 30;
const LIMIT = 20;

const VERDICTS = [
  ["right", "statistics.right"],
  ["wrong", "statistics.wrong"],
  ["other_place", "statistics.other_place"],
  ["not_in_collection", "statistics.not_in_collection"],
];

/** The browser's offset from UTC, +05:30. */
function offset() {
  const minutes = -new Date().getTimezoneOffset();
  const digits = (number) => String(Math.trunc(Math.abs(number))).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${digits(minutes / 60)}:${digits(minutes % 60)}`;
}

/** StatisticsReply in the browser's time zone; by its offset if the server does not know the zone. */
async function statistics(collection, days) {
  const read = (zone) => json(collectionPath(collection, "/statistics") + query({ days, time_zone: zone, limit: LIMIT }));
  try {
    return await read(Intl.DateTimeFormat().resolvedOptions().timeZone);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== "invalid_request") throw error;
    return read(offset());
  }
}

export function statisticsView(_context, { segments: [, collection] }) {
  const content = h("div", {}, loadingNotice());
  const period = h(
    "select",
    { onchange: load },
    PERIODS.map((days) => h("option", { value: days, selected: days === FIRST_PERIOD }, t("statistics.days", { count: days }))),
  );
  let asked = 0;

  async function load() {
    const request = ++asked;
    content.setAttribute("aria-busy", "true");
    try {
      const [reply] = await Promise.all([statistics(collection, period.value), styled("style/statistics.css")]);
      if (request === asked) refill(content, ...report(collection, reply, period.value));
    } catch (error) {
      if (request === asked) refill(content, errorNotice(error, { retry: load }));
    } finally {
      if (request === asked) content.removeAttribute("aria-busy");
    }
  }

  load();
  const element = h(
    "div",
    { class: "page" },
    h("a", { class: "back", href: address("collections", collection) }, icon("left"), collection),
    h(
      "div",
      { class: "heading" },
      h("h1", {}, t("statistics.title")),
      h("label", { class: "field" }, h("span", { class: "visually-hidden" }, t("statistics.period")), period),
    ),
    content,
  );
  return { title: `${t("statistics.title")} · ${collection}`, element };
}

function report(collection, { total, days, hours, photographed, never_photographed: never, kept_days: kept, time_zone: zone }, period) {
  if (kept === 0) return [h("p", {}, t("statistics.off"))];
  const table = (name, words) => {
    const path = collectionPath(collection, "/statistics.csv");
    const href = path + query({ table: name, days: period, time_zone: zone, language: currentLanguage() });
    return h("a", { class: "button small", href, download: `${collection.replaceAll("/", "-")}-${name}.csv` }, t(words));
  };
  const dated = days.map(({ date, ...counts }) => ({ name: day(`${date}T00:00`), ...counts })); // as local midnight
  const timed = hours.map(({ hour, ...counts }) => ({ name: `${hour}:00`, ...counts }));
  return [
    kept < period && h("p", { class: "muted" }, t("statistics.kept", { count: kept })),
    facts(
      [
        [t("statistics.questions"), number(total.questions)],
        [t("statistics.answered"), total.questions ? share(total.answered, total.questions) : "–"],
        ...VERDICTS.map(([verdict, words]) => [t(words), number(total[verdict])]),
      ],
      "facts panel",
    ),
    h("p", { class: "legend muted" }, h("span", { class: "answered" }), t("statistics.answered"), h("span", { class: "refused" }), t("statistics.refused")),
    plot(t("statistics.by_day"), dated, table("days", "statistics.csv.days")),
    plot(t("statistics.by_hour"), timed, table("hours", "statistics.csv.hours")),
    section(
      t("statistics.photographed"),
      photographed.total ? ranking(collection, photographed.entries) : h("p", { class: "muted" }, t("statistics.nothing")),
      table("places", "statistics.csv.places"),
    ),
    never.total > 0 &&
      section(
        t("statistics.never", { count: never.total }),
        h("p", {}, never.entries.flatMap((place, at) => [at > 0 && " · ", placeLink(collection, place)])),
        never.total > never.entries.length && h("p", { class: "muted" }, t("statistics.more", { count: never.total - never.entries.length })),
      ),
  ];
}

const number = (count) => count.toLocaleString(document.documentElement.lang);

const share = (part, whole) => `${number(part)} (${percent(part / whole)})`;

const section = (title, ...content) => h("section", {}, h("h2", {}, title), ...content);

const placeLink = (collection, { place_id: id, name }) =>
  h("a", { href: address("collections", collection, "places", id) }, name || t("place.unnamed"));

/** A bar for every entry, of which the answered part is filled; the numbers follow as a table. */
function plot(title, entries, download) {
  const most = Math.max(1, ...entries.map(({ questions }) => questions));
  const bar = (at, count, kind) => svg("rect", { class: kind, x: at + 0.1, width: 0.8, y: most - count, height: count });
  const bars = entries.map(({ name, questions, answered }, at) =>
    svg(
      "g",
      {},
      svg("title", {}, t("statistics.bar", { name, questions, answered })),
      bar(at, questions, "refused"),
      bar(at, answered, "answered"),
    ),
  );
  const drawing = { viewBox: `0 0 ${entries.length} ${most}`, preserveAspectRatio: "none", role: "img", "aria-label": title };
  return section(
    title,
    h(
      "figure",
      { class: "plot" },
      h("span", { class: "muted", "aria-hidden": "true" }, number(most)),
      svg("svg", drawing, bars),
      h("div", { class: "ends muted", "aria-hidden": "true" }, h("span", {}, entries[0].name), h("span", {}, entries.at(-1).name)),
    ),
    h("details", { class: "details" }, h("summary", {}, t("statistics.table")), numbers(entries)),
    download,
  );
}

function numbers(entries) {
  const head = (key) => h("th", { scope: "col" }, t(key));
  const row = ({ name, questions, answered }) =>
    h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, number(questions)), h("td", {}, number(answered)));
  return h(
    "table",
    { class: "times panel" },
    h("thead", {}, h("tr", {}, h("td", {}), head("statistics.questions"), head("statistics.answered"))),
    h("tbody", {}, entries.filter(({ questions }) => questions > 0).map(row)),
  );
}

function ranking(collection, places) {
  const most = places[0].questions;
  return h(
    "ol",
    { class: "ranking" },
    places.map((place) =>
      h(
        "li",
        {},
        placeLink(collection, place),
        h("span", {}, number(place.questions)),
        svg(
          "svg",
          { viewBox: `0 0 ${most} 1`, preserveAspectRatio: "none", "aria-hidden": "true" },
          svg("rect", { class: "answered", width: place.questions, height: 1 }),
        ),
      ),
    ),
  );
}
