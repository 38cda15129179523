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

/** A stage of answering, as the server calls it, in words. */
export const stageName = (stage) => (knows(`stage.${stage}`) ? t(`stage.${stage}`) : stage.replaceAll("_", " "));

/** Whether a value of free metadata can be shown, and edited, as one line. */
export const isPlain = (value) => ["string", "number"].includes(typeof value);

/** A place's free metadata: only what reads as a plain value; null where nothing does. */
export function plainFacts(metadata) {
  const plain = Object.entries(metadata).filter(([, value]) => isPlain(value));
  return plain.length > 0 ? facts(plain.map(([name, value]) => [name, String(value)])) : null;
}
