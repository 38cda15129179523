/** Remembers on this device an upload that is not finished, so that it can be taken up again after a reload. */

const KEPT = "upload";

/** @param {object} plan where to and how divided; with `done` and `total` files */
export function remember(plan) {
  localStorage.setItem(KEPT, JSON.stringify(plan));
}

export function forget() {
  localStorage.removeItem(KEPT);
}

/** What is left of an upload to this collection, or this place of it; null where nothing is. */
export function interrupted({ collection, place }) {
  const plan = JSON.parse(localStorage.getItem(KEPT));
  return plan?.collection === collection && plan.place?.id === place?.id ? plan : null;
}
