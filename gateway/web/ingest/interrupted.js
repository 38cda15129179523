/**
 * Stores unfinished uploads on this device, so that they can be resumed after a reload. Every tab has its own upload,
 * and marks it as running while it runs.
 */

import { device, tab } from "../page/storage.js";

const KEPT = "uploads"; // by the tab in which they run
const SIGN_MS = 5000;
// Timers of a background tab run only once a minute.
const SILENCE_MS = 70_000;

const plans = () => JSON.parse(device.get(KEPT)) ?? {};
let sign = 0;

/** The tab's name; a reload keeps it. */
function ownName() {
  const name = tab.get("name") ?? String(Math.random());
  tab.set("name", name);
  return name;
}

/** @param {object} plan the target and the grouping, with the numbers of `done` and `total` files */
export function remember(plan) {
  device.set(KEPT, JSON.stringify({ ...plans(), [ownName()]: { ...plan, at: Date.now() } }));
  sign ||= setInterval(() => remember(plans()[ownName()]), SIGN_MS);
}

/** Delete the record of this tab's upload, or of the one that `interrupted` found. */
export function forget(name = ownName()) {
  if (name === ownName()) sign = clearInterval(sign) ?? 0;
  const { [name]: _, ...others } = plans();
  device.set(KEPT, JSON.stringify(others));
}

/**
 * The record of an interrupted upload to this collection or place, with its `tab`; null if there is none.
 * An upload that is running in another tab is not interrupted.
 */
export function interrupted({ collection, place }) {
  const isLeft = ([name, plan]) => name === ownName() || Date.now() - plan.at > SILENCE_MS;
  const isHere = ([, plan]) => plan.collection === collection && plan.place?.id === place?.id;
  const [found] = Object.entries(plans()).filter((entry) => isHere(entry) && isLeft(entry));
  return found ? { ...found[1], tab: found[0] } : null;
}
