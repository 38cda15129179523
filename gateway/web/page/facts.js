/** Names and their values, as a list. */

import { h } from "./dom.js";
import { knows, t } from "./language.js";

/** @param {[string, string][]} pairs name and value */
export function facts(pairs, className = "facts") {
  return h(
    "dl",
    { class: className },
    pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

/** The text for a stage of the server's timings. */
export const stageName = (stage) => (knows(`stage.${stage}`) ? t(`stage.${stage}`) : stage.replaceAll("_", " "));

/** Whether a metadata value can be shown and edited as one line. */
export const isPlain = (value) => ["string", "number"].includes(typeof value);

/** A place's metadata with plain values; null if there are none. */
export function plainFacts(metadata) {
  const plain = Object.entries(metadata).filter(([, value]) => isPlain(value));
  return plain.length > 0 ? facts(plain.map(([name, value]) => [name, String(value)])) : null;
}
