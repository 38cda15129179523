/** Finds the photos that the server has already, by their hash, before they are sent. */

import { changeJson } from "../page/api.js";

/** @returns {Promise<{there: [object, string][], unreadable: [object, Error][]}>} of items of one collection, with the
 *  name of the place where it is, or the reason */
export async function recognise(items) {
  const hashes = new Map();
  const unreadable = [];
  for (const item of items) {
    try {
      hashes.set(item, await contentHash(await item.load()));
    } catch (error) {
      unreadable.push([item, error]);
    }
  }
  const question = { collection: items[0].collection, content_hashes: [...hashes.values()], places: true };
  const { places } = await changeJson("POST", "index/known", question);
  const there = items.map((item) => [item, places[hashes.get(item)]]).filter(([, place]) => place !== undefined);
  return { there, unreadable };
}

/** SHA-256 of a file's bytes, hex. Browsers have it only on https and on this machine. */
async function contentHash(file) {
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
