/** What is wrong with a collection, and what to photograph next. */

import { h } from "../page/dom.js";
import { currentLanguage, t } from "../page/language.js";
import { address } from "../page/router.js";
import { health } from "./api.js";
import { pause } from "./section.js";

const WAIT_S = 5;
const POLL_MS = 3000;

export function healthContent(collection, section) {
  return async (signal) => {
    const { state, report } = await health(collection, WAIT_S);
    if (state !== "fresh") pause(POLL_MS, signal).then(() => !signal.aborted && section.element.open && section.reload());
    const note = state !== "fresh" && h("p", { class: "muted", role: "status" }, t(`health.${state}`));
    return [note, ...(report ? findings(collection, report) : [])].filter(Boolean);
  };
}

function findings(collection, report) {
  const { faulty_photos: faulty, pairs, advice } = report;
  if (faulty.total + pairs.total + advice.total === 0) return [h("p", {}, t("health.well"))];
  const place = ({ place_id: id, name }) =>
    h("a", { href: address("collections", collection, "places", id) }, name || t("place.unnamed"));
  const list = (title, { total, entries }, row) =>
    total > 0 && [
      h("h3", {}, `${title} (${total})`),
      h("ul", { class: "findings" }, entries.map((entry) => h("li", {}, row(entry)))),
      total > entries.length && h("p", { class: "muted" }, t("health.more", { count: total - entries.length })),
    ];
  return [
    list(t("health.advice"), advice, (entry) => [place(entry.place), h("span", {}, entry[currentLanguage()])]),
    list(t("health.pairs"), pairs, (entry) => [
      h(
        "span",
        { class: "twins" },
        h("img", { src: entry.first_preview_url, alt: "", loading: "lazy" }),
        h("img", { src: entry.second_preview_url, alt: "", loading: "lazy" }),
      ),
      h("span", {}, place(entry.first), " · ", place(entry.second)),
      h("span", { class: "muted" }, t(`health.${entry.kind}`)),
    ]),
    list(t("health.faulty"), faulty, (entry) => [
      h("span", { class: "twins" }, h("img", { src: entry.preview_url, alt: "", loading: "lazy" })),
      h("span", {}, entry.filename, " · ", place(entry.place)),
      h("span", { class: "muted" }, entry.faults.map((fault) => t(`health.${fault}`)).join(" · ")),
    ]),
  ]
    .flat()
    .filter(Boolean);
}
