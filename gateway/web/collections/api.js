/** Requests of operators to the gateway; visitors' phones do not load this file. */

import { changeJson, collectionPath, json, placePath } from "../page/api.js";

export function query(values) {
  const present = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return present.length ? "?" + new URLSearchParams(present) : "";
}

export const places = ({ collection, search, hidden, cursor, limit = 60 }) =>
  json("index/places" + query({ collection, q: search, hidden, cursor, limit }));

export const images = ({ collection, placeId, cursor, limit = 60 }) =>
  json("index/images" + query({ collection, place_id: placeId, cursor, limit }));

export const imagePath = (imageId) => `index/images/${encodeURIComponent(imageId)}`;

export const changeCollection = (collection, change) => changeJson("PATCH", collectionPath(collection), change);

export const createCollection = (name) => changeJson("POST", "collections", { name });

/** A place with its ETag. A change sends it back, and the server refuses the change if the place has changed since. */
const tagged = (answer, place) => ({ place, tag: answer.headers.get("ETag") });

export const readPlace = (collection, placeId) => json(placePath(collection, placeId), { read: tagged, cache: "no-store" });

export const changePlace = (collection, placeId, change, tag) =>
  changeJson("PATCH", placePath(collection, placeId), change, { headers: { "If-Match": tag }, read: tagged });

/** MoveRequest to MoveReply */
export const movePhotos = (request) => changeJson("POST", "index/images/move", request);

/** HealthReply; `waitS` is how long the server may wait for a check that is running. */
export const health = (collection, waitS) => json(collectionPath(collection, "/health") + query({ wait_s: waitS, limit: 50 }));

export const matches = (collection, { cursor, commented }) =>
  json(collectionPath(collection, "/matches") + query({ cursor, commented: commented || null, limit: 20 }));

export const drift = (collection) => json(collectionPath(collection, "/drift"));

/** SampleCollection */
export const sample = (language) => json("sample" + query({ language }));
