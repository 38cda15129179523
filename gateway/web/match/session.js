/** One photo's way from the file to the answer, independent of what is on screen. */

import { match } from "../page/api.js";
import { currentLanguage } from "../page/language.js";
import { preparePhoto } from "./photo.js";

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
    const nothing = { photo: null, progress: 0, candidates: [], reply: null, feedback: null, error: null };
    Object.assign(this, { phase: "idle", collection: null, ...nothing });
  }

  #enter(phase) {
    this.phase = phase;
    this.dispatchEvent(new Event("change"));
  }

  get isBusy() {
    return ["preparing", "uploading", "comparing"].includes(this.phase);
  }

  /** Ask what `file` shows. A question still under way is dropped. */
  async ask(file, collection) {
    this.reset({ quietly: true });
    this.collection = collection;
    this.#enter("preparing");
    const stop = (this.#stop = new AbortController());
    const photo = await preparePhoto(file);
    if (stop.signal.aborted) return URL.revokeObjectURL(photo.url);
    this.photo = photo;
    await this.#send(stop);
  }

  /** The same photo once more, after a failure. */
  retry() {
    return this.#send((this.#stop = new AbortController()));
  }

  async #send(stop) {
    Object.assign(this, { error: null, progress: 0, candidates: [] });
    this.#enter("uploading");
    try {
      const reply = await match(this.photo.blob, {
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
    if (this.photo) URL.revokeObjectURL(this.photo.url);
    this.#clear();
    if (!quietly) this.dispatchEvent(new Event("change"));
  }
}
