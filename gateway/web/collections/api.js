/** What only operators ask of the gateway; visitors' phones never load it. */

import { changeJson, json, query } from "../page/api.js";

/** The path of a collection; its name may hold slashes, which stay. */
export const collectionPath = (collection, what = "") =>
  `collections/${collection.split("/").map(encodeURIComponent).join("/")}${what}`;

export const qrCode = (collection) => collectionPath(collection, "/qr.svg");

export const renameCollection = (collection, name) => changeJson("PATCH", collectionPath(collection), { name });

export const createCollection = (name) => changeJson("POST", "collections", { name });

export const placePath = (collection, placeId) => collectionPath(collection, `/places/${encodeURIComponent(placeId)}`);

/** A place with the tag that says in which state it was read; so of a change, which the server refuses if that is old. */
const tagged = (answer, place) => ({ place, tag: answer.headers.get("ETag") });

export const readPlace = (collection, placeId) => json(placePath(collection, placeId), { read: tagged, cache: "no-store" });

export const changePlace = (collection, placeId, change, tag) =>
  changeJson("PATCH", placePath(collection, placeId), change, { headers: { "If-Match": tag }, read: tagged });

/** HealthReply; `waitS` is how long the server may wait for a check that is running. */
export const health = (collection, waitS) => json(collectionPath(collection, "/health") + query({ wait_s: waitS, limit: 50 }));

export const matches = (collection, { cursor, commented }) =>
  json(collectionPath(collection, "/matches") + query({ cursor, commented: commented || null, limit: 20 }));

export const drift = (collection) => json(collectionPath(collection, "/drift"));

/** SampleCollection */
export const sample = (language) => json("sample" + query({ language }));
