/** The state of a match: from one or several photos of one thing to the answer, independent of the view. */

import { asRead, json, match, placePath } from "../page/api.js";
import { currentLanguage } from "../page/language.js";
import { tab } from "../page/storage.js";
import { preparePhoto } from "./photo.js";

const MOST_PHOTOS = 5; // of one thing; the server's limit
export const KEPT = "answer";
export const VISIT = "visit";

const NOTHING_KNOWN = { progress: 0, candidates: [], reply: null, feedback: null, error: null };

/**
 * Phases: idle → preparing → uploading → comparing → answered | failed.
 * Fires `change` for every phase, `progress` while uploading, and `candidates` if they are known before the answer.
 * An answer is stored in this tab, so that a reload does not lose it.
 */
export class MatchSession extends EventTarget {
  constructor() {
    super();
    this.#clear();
  }

  #stop = null;
  #find = null; // returns the collection to match with

  /** Whether the server stores feedback, as far as known. */
  takesFeedback = true;

  #clear() {
    Object.assign(this, { phase: "idle", photos: [], collection: null, ...NOTHING_KNOWN });
  }

  #enter(phase) {
    this.phase = phase;
    this.dispatchEvent(new Event("change"));
  }

  get isBusy() {
    return ["preparing", "uploading", "comparing"].includes(this.phase);
  }

  /** The photo added last. */
  get photo() {
    return this.photos.at(-1) ?? null;
  }

  /** Whether one more photo of the same thing can be added. */
  get takesView() {
    return this.photos.length < MOST_PHOTOS && this.photos.every(({ blob }) => blob);
  }

  /**
   * Match `file`. A running match is cancelled.
   * @param {() => Promise<string|null>} find the collection; null if there is none. The photo waits until it is
   *   found; every further attempt calls it again.
   */
  async ask(file, find) {
    this.reset({ quietly: true });
    this.#find = find;
    await this.addView(file);
  }

  /** Match again, with one more photo of the same thing. */
  async addView(file) {
    const stop = (this.#stop = new AbortController());
    this.#enter("preparing");
    const photo = await preparePhoto(file);
    if (stop.signal.aborted) return URL.revokeObjectURL(photo.url);
    this.photos.push(photo);
    await this.#send(stop);
  }

  /** Match the same photos again after a failure; in another collection if `find` is given. */
  retry(find = this.#find) {
    this.#find = find;
    return this.#send((this.#stop = new AbortController()));
  }

  async #send(stop) {
    Object.assign(this, NOTHING_KNOWN);
    this.#enter("preparing");
    try {
      this.collection = await this.#find();
      if (stop.signal.aborted) return;
      if (this.collection === null) throw Object.assign(new Error(), { code: "empty_gallery" });
      this.#enter("uploading");
      const blobs = this.photos.map(({ blob }) => blob);
      const reply = await match(blobs, {
        collection: this.collection,
        language: currentLanguage(),
        signal: stop.signal,
        onprogress: (share) => this.#advance(share),
        oncandidates: (found) => this.#consider(found),
      });
      this.reply = reply;
      this.keep().catch(() => {}); // only a reload would lose it
      this.#enter("answered");
    } catch (error) {
      if (stop.signal.aborted) return;
      this.error = error;
      this.#enter("failed");
    }
  }

  #advance(share) {
    this.progress = share;
    if (share >= 1 && this.phase === "uploading") this.#enter("comparing");
    else this.dispatchEvent(new Event("progress"));
  }

  #consider({ candidates, verifying }) {
    if (!verifying || candidates.length === 0) return; // the answer follows at once
    this.candidates = candidates;
    this.dispatchEvent(new Event("candidates"));
  }

  /** Store the answer in this tab. */
  async keep() {
    const { reply } = this;
    const { keepAnswer } = await import("./kept.js");
    await keepAnswer(this, () => this.reply === reply);
  }

  /** Restore the answer that this tab had before a reload. @returns {Promise<boolean>} whether there was one */
  async restore() {
    if (this.phase !== "idle" || !tab.get(KEPT)) return false;
    const { keptAnswer } = await import("./kept.js");
    const kept = keptAnswer();
    Object.assign(this, kept, { phase: "answered" });
    this.#find = async () => kept.collection;
    return true;
  }

  /** Read the texts of the answer's places again, in the language chosen meanwhile. */
  async reread() {
    const { candidates = [], place, collection } = this.reply ?? {};
    const reread = async (known) => Object.assign(known, asRead(await json(placePath(collection, known.id))));
    await Promise.all([place, ...candidates.map((candidate) => candidate.place)].filter(Boolean).map(reread)).catch(() => {});
  }

  /** Return to the idle phase; cancels a running match. */
  reset({ quietly = false } = {}) {
    this.#stop?.abort();
    for (const { url } of this.photos) URL.revokeObjectURL(url);
    tab.remove(KEPT);
    this.#clear();
    if (!quietly) this.dispatchEvent(new Event("change"));
  }
}
