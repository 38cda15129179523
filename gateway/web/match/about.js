/** What visitors read about an exhibit, in an answer and on the exhibit's own page. */

import { errorNotice } from "../page/dialogs.js";
import { h } from "../page/dom.js";
import { plainFacts } from "../page/facts.js";
import { icon } from "../page/icons.js";
import { currentLanguage, t, useWords } from "../page/language.js";

/** The description, the recording, the facts, and `buttons` followed by those of the map and of sharing. */
export function about(place, collection, ...buttons) {
  const hasPosition = place.latitude !== null && place.longitude !== null;
  return [
    ...description(place),
    place.audio && recording(place.audio),
    plainFacts(place.metadata),
    h(
      "div",
      { class: "row" },
      buttons,
      hasPosition && h("a", { class: "button", ...mapLink(place) }, icon("pin"), t("answer.map")),
      sharing(place, collection),
    ),
  ];
}

/** The description as the server has rendered it: only elements and links that are safe. */
export function description({ html, language, machine_translated: isMachine }) {
  const text = h("div", { class: "description", lang: language, dir: "auto" });
  text.append(...new DOMParser().parseFromString(html ?? "", "text/html").body.childNodes);
  for (const link of text.querySelectorAll("[href^=http]")) link.target = "_blank";
  return [Boolean(html) && text, isMachine && h("p", { class: "muted" }, t("answer.machine"))];
}

/** The player, which is fetched where there is a recording. */
function recording(audio) {
  const body = h("div", { class: "recording" });
  fetchInto(body, () => [import("./audio.js"), useWords("audio/")], ({ player }) => player(audio));
  return body;
}

/** Fill `body` with what `draw` makes of the first of the parts, when all are fetched. */
export async function fetchInto(body, fetchParts, draw) {
  const fetched = await Promise.all(fetchParts()).catch(() => null);
  const retry = () => fetchInto(body, fetchParts, draw);
  body.replaceChildren(...(fetched ? draw(fetched[0]) : [errorNotice({ code: "network" }, { retry })]));
}

/** Share the address of the exhibit's page; without the system's dialog it is copied, else shown. */
function sharing({ id, name }, collection) {
  const url = `${new URL("./", location.href)}?${new URLSearchParams({ collection, place: id })}`;
  const told = h("span", { role: "status" });
  const share = async () => {
    if (navigator.share) return navigator.share({ title: name, url }).catch(() => {}); // the person cancelled
    try {
      await navigator.clipboard.writeText(url);
      told.textContent = t("share.copied");
    } catch {
      told.replaceChildren(h("a", { href: url }, url)); // over plain HTTP browsers have no clipboard
    }
  };
  return [h("button", { class: "button", onclick: share }, t("share")), told];
}

/** An Android phone offers its map apps for a geo: link; other systems, and WeChat, do not open it. */
function mapLink({ latitude, longitude, name }) {
  if (/Android/.test(navigator.userAgent) && !/MicroMessenger/.test(navigator.userAgent)) {
    return { href: `geo:${latitude},${longitude}?q=${latitude},${longitude}(${encodeURIComponent(name)})` };
  }
  const amap = `https://uri.amap.com/marker?position=${longitude},${latitude}&coordinate=wgs84&name=${encodeURIComponent(name)}`;
  const osm = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=17/${latitude}/${longitude}`;
  return { href: currentLanguage() === "zh" ? amap : osm, target: "_blank", rel: "noreferrer" };
}
