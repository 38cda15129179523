/** What only operators ask of the gateway; visitors' phones never load it. */

import { changeJson, json, query } from "../page/api.js";

/** The path of a collection; its name may hold slashes, which stay. */
const collectionPath = (collection, what = "") =>
  `collections/${collection.split("/").map(encodeURIComponent).join("/")}${what}`;

export const qrCode = (collection) => collectionPath(collection, "/qr.svg");

export const renameCollection = (collection, name) => changeJson("PATCH", collectionPath(collection), { name });

export const deleteCollection = (collection, options) =>
  json(collectionPath(collection), { method: "DELETE", ...options });

/** HealthReply; `waitS` is how long the server may wait for a check that is running. */
export const health = (collection, waitS) => json(collectionPath(collection, "/health") + query({ wait_s: waitS, limit: 50 }));

export const matches = (collection, { cursor, commented }) =>
  json(collectionPath(collection, "/matches") + query({ cursor, commented: commented || null, limit: 20 }));

export const drift = (collection) => json(collectionPath(collection, "/drift"));

/** KeysBody; for admins. */
export const keys = () => json("session/keys");

const calibrationPath = (collection) => collectionPath(collection, "/calibration");

/** CalibrationReply */
export const calibration = (collection) => json(calibrationPath(collection));
export const startCalibration = (collection, target) => changeJson("POST", calibrationPath(collection), { target });
export const changeTarget = (collection, target) => changeJson("PATCH", calibrationPath(collection), { target });
/** Cancels the calibration that is running; where none is, forgets the one on record. */
export const dropCalibration = (collection) => json(calibrationPath(collection), { method: "DELETE" });

/** SampleCollection */
export const sample = (language) => json("sample" + query({ language }));
export const buildSample = (language) => json("sample" + query({ language }), { method: "POST" });

/** A photo to try the sample with, as a file. */
export async function sampleQuery({ url }) {
  const answer = await fetch(url);
  return new File([await answer.blob()], "sample.jpg", { type: "image/jpeg" });
}
