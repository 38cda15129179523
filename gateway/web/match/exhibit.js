/** An exhibit's page for visitors: its picture and texts. Its address holds ids, so a new name does not change it. */

import { asRead, json, placePath } from "../page/api.js";
import { errorNotice } from "../page/dialogs.js";
import { h, refill } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { isVisitorMode } from "../page/identity.js";
import { t } from "../page/language.js";
import { matchAddress } from "../page/router.js";
import { about } from "./about.js";

const GONE = ["unknown_place", "unknown_collection"];

export function exhibitView({ entitle, present }, { segments: [, collection, placeId] }) {
  const root = h("div", { class: "match", "aria-busy": "true" });
  let isLeft = false;

  async function load() {
    try {
      const path = placePath(collection, placeId) + (isVisitorMode ? "?hidden=false" : "");
      const place = asRead(await json(path, { cache: "no-store" }));
      if (isLeft) return;
      entitle(place.name);
      present(collection);
      refill(root, exhibit(place));
    } catch (error) {
      if (isLeft) return;
      const isGone = GONE.includes(error.code);
      refill(root, h("h1", {}, t(isGone ? "exhibit.gone" : "exhibit")), isGone ? camera() : errorNotice(error, { retry: load }));
    } finally {
      root.removeAttribute("aria-busy");
    }
  }

  const camera = () =>
    h(
      "div",
      { class: "again" },
      h("a", { class: "button primary large", href: matchAddress(collection) }, icon("camera"), t("exhibit.camera")),
    );

  const exhibit = (place) =>
    h(
      "div",
      { class: "answer" },
      place.preview_url && h("div", { class: "finder locked" }, h("img", { src: place.preview_url, alt: place.name })),
      h(
        "div",
        { class: "said" },
        h("p", { class: "eyebrow" }, place.collection),
        h("h1", { class: "place-name" }, place.name),
        place.hidden && h("p", { class: "notice" }, t("exhibit.hidden")),
        about(place, place.collection),
      ),
      camera(),
    );

  load();
  return { title: t("exhibit"), element: root, dispose: () => (isLeft = true) };
}
