/** Finds the photos and recordings that the server has already, by their hash, before they are sent. */

import { changeJson } from "../page/api.js";

const MOST_HASHES = 32;

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

/**
 * Leaves out recordings that are named by their hash, as in an export, and that the collection has: a manifest is enough.
 * @param {[File, string][]} recordings with their paths
 * @returns {Promise<[File, string][]>} all of them, if the server could not be asked
 */
export async function toBeSent(collection, recordings) {
  try {
    const known = new Set();
    for (let at = 0; at < recordings.length; at += MOST_HASHES) {
      const hashes = [];
      // One after the other: all of them together may be more than the memory of a laptop.
      for (const recording of recordings.slice(at, at + MOST_HASHES)) hashes.push(await hashInName(recording));
      const question = { collection, content_hashes: hashes.filter(Boolean) };
      for (const hash of (await changeJson("POST", "index/known", question)).known) known.add(hash);
    }
    return recordings.filter(([, path]) => !known.has(stemOf(path)));
  } catch {
    return recordings;
  }
}

const stemOf = (path) => path.split("/").at(-1).replace(/\.[^.]*$/, "");

async function hashInName([file, path]) {
  const stem = stemOf(path);
  return /^[0-9a-f]{64}$/.test(stem) && stem === (await contentHash(file)) && stem;
}

/** SHA-256 of a file's bytes, hex. Browsers have it only on https and on this machine. */
async function contentHash(file) {
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
