/** The way from a photo, or several of one thing, to the answer, independent of what is on screen. */

import { match } from "../page/api.js";
import { currentLanguage } from "../page/language.js";
import { tab } from "../page/storage.js";
import { preparePhoto } from "./photo.js";

const MOST_PHOTOS = 5; // of one thing: what the server takes
export const KEPT = "answer";

const NOTHING_KNOWN = { progress: 0, candidates: [], reply: null, feedback: null, error: null };

/**
 * Phases: idle → preparing → uploading → comparing → answered | failed.
 * Fires `change` with every phase, `progress` while uploading and `candidates` when they are known before the answer.
 * An answer stays in this tab, so that a reload does not lose it.
 */
export class MatchSession extends EventTarget {
  constructor() {
    super();
    this.#clear();
  }

  #stop = null;
  #find = null; // gives the collection to ask

  /** Whether the server keeps what is said of answers, as far as known. */
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

  /** Whether the same thing can be asked about with one more photo of it. */
  get takesView() {
    return this.photos.length < MOST_PHOTOS && this.photos.every(({ blob }) => blob);
  }

  /**
   * Ask what `file` shows. A question still under way is dropped.
   * @param {() => Promise<string|null>} find the collection to ask; null where there is none. Until it is found the
   *   photo waits, and with every further attempt it is looked for again.
   */
  async ask(file, find) {
    this.reset({ quietly: true });
    this.#find = find;
    await this.addView(file);
  }

  /** Ask again, with one more photo of the same thing. */
  async addView(file) {
    const stop = (this.#stop = new AbortController());
    this.#enter("preparing");
    const photo = await preparePhoto(file);
    if (stop.signal.aborted) return URL.revokeObjectURL(photo.url);
    this.photos.push(photo);
    await this.#send(stop);
  }

  /** The same photos once more, after a failure; in another collection where `find` is given. */
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
        onevent: (name, data) => name === "candidates" && this.#consider(data),
      });
      this.reply = reply;
      this.keep().catch(() => {}); // a reload will lose it
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
    if (!verifying || candidates.length === 0) return; // the answer is already on its way
    this.candidates = candidates;
    this.dispatchEvent(new Event("candidates"));
  }

  /** Keep the answer in this tab. */
  async keep() {
    const { reply } = this;
    const { keepAnswer } = await import("./kept.js");
    await keepAnswer(this, () => this.reply === reply);
  }

  /** Take up the answer that this tab had before a reload. @returns {Promise<boolean>} whether there was one */
  async restore() {
    if (this.phase !== "idle" || !tab.get(KEPT)) return false;
    const { keptAnswer } = await import("./kept.js");
    const kept = keptAnswer();
    Object.assign(this, kept, { phase: "answered" });
    this.#find = async () => kept.collection;
    return true;
  }

  /** Back to the beginning; cancels what is under way. */
  reset({ quietly = false } = {}) {
    this.#stop?.abort();
    for (const { url } of this.photos) URL.revokeObjectURL(url);
    tab.remove(KEPT);
    this.#clear();
    if (!quietly) this.dispatchEvent(new Event("change"));
  }
}
