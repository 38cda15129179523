/**
 * Remembers on this device uploads that are not finished, so that they can be taken up again after a reload. Every tab
 * has an upload of its own, and says as long as it runs that it does.
 */

import { device, tab } from "../page/storage.js";

const KEPT = "uploads"; // by the tab they run in
const SIGN_MS = 5000;
// A tab in the background may use its timer once a minute.
const SILENCE_MS = 70_000;

const plans = () => JSON.parse(device.get(KEPT)) ?? {};
let sign = 0;

/** This tab's name, which a reload keeps. */
function ownName() {
  const name = tab.get("name") ?? String(Math.random());
  tab.set("name", name);
  return name;
}

/** @param {object} plan where to and how divided; with `done` and `total` files */
export function remember(plan) {
  device.set(KEPT, JSON.stringify({ ...plans(), [ownName()]: { ...plan, at: Date.now() } }));
  sign ||= setInterval(() => remember(plans()[ownName()]), SIGN_MS);
}

/** Forget this tab's upload, or the one that `interrupted` found. */
export function forget(name = ownName()) {
  if (name === ownName()) sign = clearInterval(sign) ?? 0;
  const { [name]: _, ...others } = plans();
  device.set(KEPT, JSON.stringify(others));
}

/**
 * What is left of an upload to this collection, or this place of it, with the `tab` it ran in; null where nothing is.
 * One that another tab is busy with is not interrupted.
 */
export function interrupted({ collection, place }) {
  const isLeft = ([name, plan]) => name === ownName() || Date.now() - plan.at > SILENCE_MS;
  const isHere = ([, plan]) => plan.collection === collection && plan.place?.id === place?.id;
  const [found] = Object.entries(plans()).filter((entry) => isHere(entry) && isLeft(entry));
  return found ? { ...found[1], tab: found[0] } : null;
}
