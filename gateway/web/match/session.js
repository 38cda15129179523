/** The way from a photo, or several of one thing, to the answer, independent of what is on screen. */

import { match } from "../page/api.js";
import { currentLanguage } from "../page/language.js";
import { preparePhoto } from "./photo.js";

const MOST_PHOTOS = 5; // of one thing: what the server takes

const NOTHING_KNOWN = { progress: 0, candidates: [], reply: null, feedback: null, error: null };

/**
 * Phases: idle → preparing → uploading → comparing → answered | failed.
 * Fires `change` with every phase, `progress` while uploading and `candidates` when they are known before the answer.
 */
export class MatchSession extends EventTarget {
  constructor() {
    super();
    this.#clear();
  }

  #stop = null;

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
    return this.photos.length < MOST_PHOTOS;
  }

  /** Ask what `file` shows. A question still under way is dropped. */
  async ask(file, collection) {
    this.reset({ quietly: true });
    this.collection = collection;
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

  /** The same photos once more, after a failure. */
  retry() {
    return this.#send((this.#stop = new AbortController()));
  }

  async #send(stop) {
    Object.assign(this, NOTHING_KNOWN);
    this.#enter("uploading");
    try {
      const blobs = this.photos.map(({ blob }) => blob);
      const reply = await match(blobs, {
        collection: this.collection,
        language: currentLanguage(),
        signal: stop.signal,
        onprogress: (share) => this.#advance(share),
        onevent: (name, data) => name === "candidates" && this.#consider(data),
      });
      this.reply = reply;
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

  /** Back to the beginning; cancels what is under way. */
  reset({ quietly = false } = {}) {
    this.#stop?.abort();
    for (const { url } of this.photos) URL.revokeObjectURL(url);
    this.#clear();
    if (!quietly) this.dispatchEvent(new Event("change"));
  }
}
