/** One photo's way from the file to the answer, independent of what is on screen. */

import { match } from "../page/api.js";
import { currentLanguage } from "../page/language.js";
import { preparePhoto } from "./photo.js";

/**
 * Phases: idle → preparing → uploading → comparing → answered | failed.
 * Fires `change` with every phase and `progress` while uploading.
 */
export class MatchSession extends EventTarget {
  constructor() {
    super();
    this.#clear();
  }

  #stop = null;

  #clear() {
    Object.assign(this, { phase: "idle", photo: null, progress: 0, reply: null, error: null, collection: null });
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
    this.error = null;
    this.progress = 0;
    this.#enter("uploading");
    try {
      const reply = await match(this.photo.blob, {
        collection: this.collection,
        language: currentLanguage(),
        signal: stop.signal,
        onprogress: (share) => this.#advance(share),
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

  /** Back to the beginning; cancels what is under way. */
  reset({ quietly = false } = {}) {
    this.#stop?.abort();
    if (this.photo) URL.revokeObjectURL(this.photo.url);
    this.#clear();
    if (!quietly) this.dispatchEvent(new Event("change"));
  }
}
