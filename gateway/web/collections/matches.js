/** Recent answers to visitors, as numbers, without their photos. */

import { h } from "../page/dom.js";
import { currentLanguage, percent, t, when } from "../page/language.js";
import { address } from "../page/router.js";
import { drift, matches } from "./api.js";

const placeLink = (collection, id, words) => h("a", { href: address("collections", collection, "places", id) }, words);

export function matchesContent(collection) {
  return async () => {
    const [trend, page] = await Promise.all([drift(collection), matches(collection, {})]);
    if (page.matches.length === 0) return [h("p", {}, t("matches.none"))];
    const list = h("ul", { class: "recent" });
    const more = h("button", { class: "button", onclick: next }, t("more"));
    const only = h("input", { type: "checkbox", onchange: again });
    let cursor = null;

    const show = (shown) => {
      list.append(...shown.matches.map((entry) => row(collection, entry)));
      cursor = shown.next_cursor;
      more.hidden = !cursor;
    };
    async function next() {
      show(await matches(collection, { cursor, commented: only.checked }));
    }
    async function again() {
      const shown = await matches(collection, { commented: only.checked });
      list.replaceChildren();
      show(shown);
    }

    show(page);
    return [
      h("p", { class: `drift ${trend.state}` }, trend[currentLanguage()]),
      h("label", { class: "check" }, only, t("matches.commented")),
      list,
      more,
    ];
  };
}

function row(collection, { at, answer, place_id: id, place_name: name, confidence, verification, feedback }) {
  const place = name || t("place.unnamed");
  const answered = () => placeLink(collection, id, answer === "maybe" ? t("matches.maybe", { place }) : place);
  const said = feedback && t(`matches.${feedback.verdict}`, { place: feedback.place_id });
  const pill = feedback?.place_id ? placeLink(collection, feedback.place_id, said) : said;
  return h(
    "li",
    {},
    h("span", {}, answer === "none" ? t("matches.unknown") : answered()),
    feedback ? h("span", { class: `pill ${feedback.verdict}` }, pill) : h("span", {}),
    h(
      "span",
      { class: "muted" },
      h("time", { datetime: at }, when(at)),
      ` · ${verification === "done" ? t("matches.confidence", { percent: percent(confidence) }) : t("matches.unverified")}`,
    ),
  );
}
