/** The recording of an exhibit: a player, and the transcript to unfold. */

import { h } from "../page/dom.js";
import { t } from "../page/language.js";
import { nameOfLanguage } from "../page/language_names.js";
import { description } from "./about.js";

/** @param {object} audio ShownAudio */
export function player({ url, language, transcript_html: html }) {
  const label = t("audio.title", { language: nameOfLanguage(language) });
  return [
    h("p", { class: "eyebrow" }, label),
    h("audio", { controls: true, preload: "none", src: url, "aria-label": label }),
    html
      ? h("details", { class: "details" }, h("summary", {}, t("audio.transcript")), description({ html, language }))
      : "",
  ];
}
