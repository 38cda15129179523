/** Problems of a collection, and what to photograph next. */

import { h } from "../page/dom.js";
import { currentLanguage, t } from "../page/language.js";
import { address } from "../page/router.js";
import { health } from "./api.js";
import { pause } from "./section.js";

const WAIT_S = 5;
const POLL_MS = 3000;
const FEW = 3; // up to so many entries with the same advice are listed one by one

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
  const list = (title, { total, entries }, row, more = total - entries.length) =>
    total > 0 && [
      h("h3", {}, `${title} (${total})`),
      entries.length > 0 && h("ul", { class: "findings" }, entries.map((entry) => h("li", {}, row(entry)))),
      more > 0 && h("p", { class: "muted" }, t("health.more", { count: more })),
    ];
  const isCommon = ({ reasons }) => reasons.join() === "one_view";
  const common = advice.entries.filter(isCommon);
  const isGrouped = common.length > FEW;
  const particular = isGrouped ? advice.entries.filter((entry) => !isCommon(entry)) : advice.entries;
  const grouped =
    isGrouped &&
    h(
      "details",
      { class: "details" },
      h("summary", {}, t("health.one_view", { count: common.length + advice.total - advice.entries.length })),
      h("p", {}, common.flatMap((entry, at) => [at > 0 && " · ", place(entry.place)])),
    );
  return [
    list(
      t("health.advice"),
      { ...advice, entries: particular },
      (entry) => [place(entry.place), h("span", {}, entry[currentLanguage()])],
      isGrouped ? 0 : undefined, // those that are not listed are counted in the group
    ),
    grouped,
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
