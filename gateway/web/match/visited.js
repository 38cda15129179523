/** The visitor's last exhibits, stored on this device until they are deleted: ids, names and times, no photo. */

import { device } from "../page/storage.js";
import { VISIT } from "./session.js";

const MOST = 100;

/** @returns {{request: string, at: string, collection: string, id: string, name: string, src: string}[]} newest first */
export function visited() {
  try {
    return JSON.parse(device.get(VISIT)) ?? [];
  } catch {
    return []; // written by something else
  }
}

/** Delete the exhibits for which `isDeleted` holds. */
export function forgetVisited(isDeleted) {
  write(visited().filter((entry) => !isDeleted(entry)));
}

/** Store the exhibit of an answer first, in place of what was stored for this answer or for this exhibit. */
export function noteVisit(reply, feedback) {
  const { request_id: request, collection } = reply;
  const others = visited().filter((entry) => entry.request !== request);
  const candidate = seen(reply, feedback);
  if (!candidate) return write(others);
  const { id, name } = candidate.place;
  const entry = { request, at: new Date().toISOString(), collection, id, name, src: candidate.preview_url };
  write([entry, ...others.filter((other) => other.collection !== collection || other.id !== id)].slice(0, MOST));
}

/** The candidate that was answered and not denied, or that the visitor has confirmed. */
function seen({ matched, candidates }, feedback) {
  const isAnswer = matched && (feedback === null || feedback === "right");
  return isAnswer ? candidates[0] : candidates.find(({ place }) => `place ${place.id}` === feedback);
}

function write(entries) {
  if (entries.length > 0) device.set(VISIT, JSON.stringify(entries));
  else device.remove(VISIT);
}
