/** Sends photos to the server in small batches, with pauses and retries after broken connections. */

import { forget, remember } from "./interrupted.js";

const MAX_FILES = 8;
const MAX_BYTES = 16 * 1024 ** 2;
const MAX_QUESTION = 32;
const LONGEST_WAIT_S = 30;
// Statuses that one file of a batch may cause: its files are sent one by one, so that the others are added.
const FAULTS_OF_A_FILE = new Set(["invalid_image", "unsupported_format", "image_too_large", "internal"]);

/**
 * States: idle → running ⇄ waiting | paused | stopped → finished.
 * Fires `change` for every state, and `progress` (detail: the changed items) in between.
 *
 * An item is a photo of plan.js with `collection`, `place` ({id?, name?, description?}) and here
 * `status` (pending, sending, added, duplicate, updated, rejected), `reason`, and `isKnown` if the server had it and so it
 * was never sent.
 */
export class IngestQueue extends EventTarget {
  items = [];
  state = "idle";
  error = null;
  secondsLeft = 0;
  corrected = 0; // places whose texts a manifest has changed

  #isWorking = false;
  #plan = null;
  #share = 0;
  #endWait = () => {};

  get isUnfinished() {
    return ["running", "waiting", "paused", "stopped"].includes(this.state);
  }

  /** Number of photos by status. */
  get counts() {
    const counts = { pending: 0, sending: 0, added: 0, duplicate: 0, updated: 0, rejected: 0, known: 0 };
    for (const { status, isKnown } of this.items) {
      counts[status] += 1;
      if (isKnown) counts.known += 1;
    }
    const done = counts.added + counts.duplicate + counts.updated + counts.rejected;
    return { ...counts, done, total: this.items.length };
  }

  /** The progress, [0, 1]; a sent batch counts half until the server has processed it. */
  get progress() {
    const { done, sending, total } = this.counts;
    return total ? (done + (sending * this.#share) / 2) / total : 0;
  }

  /** @param {object} plan stored in case the page is closed; see interrupted.js */
  add(items, plan) {
    if (!this.isUnfinished) [this.items, this.corrected] = [[], 0];
    this.#plan = plan;
    const fresh = { status: "pending", reason: null, alone: false, isKnown: false };
    this.items.push(...items.map((item) => ({ ...fresh, isAskedAbout: item.isArchive || !crypto.subtle, ...item })));
    remember({ ...plan, done: this.counts.done, total: this.counts.total });
    this.resume();
  }

  /** Stop after the current batch. */
  pause() {
    this.#enter("paused");
    this.#endWait();
  }

  resume() {
    this.error = null;
    this.#enter("running");
    this.#endWait();
    if (!this.#isWorking) this.#work();
  }

  /** Discard a finished upload. */
  dismiss() {
    forget();
    this.items = [];
    this.#enter("idle");
  }

  #enter(state) {
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }

  #mark(items, change) {
    for (const item of items) Object.assign(item, change);
    this.dispatchEvent(new CustomEvent("progress", { detail: items }));
  }

  async #work() {
    this.#isWorking = true;
    let failures = 0;
    while (this.state === "running") {
      const batch = this.#nextBatch();
      if (batch.length === 0) break;
      try {
        if (batch[0].isAskedAbout) await this.#send(batch);
        else await this.#recognise();
        failures = 0;
        remember({ ...this.#plan, done: this.counts.done, total: this.counts.total });
      } catch (error) {
        this.#mark(batch, { status: "pending" });
        const isPassing = error.isTransient || error instanceof TypeError; // a module that could not be fetched
        if (isPassing) await this.#wait(error.retryAfterS ?? Math.min(2 ** ++failures, LONGEST_WAIT_S));
        else this.#refuse(batch, error);
      }
    }
    this.#isWorking = false;
    if (this.state !== "running") return;
    forget();
    this.#enter("finished");
  }

  /** Find those of the next photos that the server has already, for example after a reload. */
  async #recognise() {
    const { recognise } = await import("./known.js");
    const next = this.items.filter(({ status, isAskedAbout }) => status === "pending" && !isAskedAbout);
    const asked = next.filter(({ collection }) => collection === next[0].collection).slice(0, MAX_QUESTION);
    const { there, unreadable } = await recognise(asked);
    for (const item of asked) item.isAskedAbout = true;
    for (const [item, { message, code }] of unreadable) this.#mark([item], { status: "rejected", reason: message, code });
    for (const [item, where] of there) item.where = where;
    this.#mark(there.map(([item]) => item), { status: "duplicate", isKnown: true });
  }

  /** The next pending photos of one place; few and small, so that a broken connection costs little. */
  #nextBatch() {
    const first = this.items.find(({ status }) => status === "pending");
    const batch = [];
    let size = 0;
    for (const item of this.items.slice(this.items.indexOf(first))) {
      if (item.status !== "pending" || item.collection !== first.collection || item.place.id !== first.place.id) break;
      if (item.isAskedAbout !== first.isAskedAbout) break;
      if (batch.length > 0 && (item.alone || first.alone || size + item.size > MAX_BYTES)) break;
      batch.push(item);
      size += item.size;
      if (batch.length === MAX_FILES) break;
    }
    return batch;
  }

  async #send(batch) {
    this.#share = 0;
    this.#mark(batch, { status: "sending" });
    const files = [];
    for (const item of batch) {
      try {
        files.push(...[await item.load()].flat());
      } catch (error) {
        this.#mark([item], { status: "rejected", reason: error.message, code: error.code });
      }
    }
    const sent = batch.filter(({ status }) => status === "sending");
    if (sent.length === 0) return;
    const [{ collection, place }] = sent;
    const { addImages } = await import("./plan.js");
    const reply = await addImages(
      files,
      { collection, place, grouping: sent[0].grouping },
      { onprogress: (share) => this.#advance(share) },
    );
    this.corrected += reply.updated;
    this.#settle(sent, reply.results);
  }

  #advance(share) {
    this.#share = share;
    this.dispatchEvent(new CustomEvent("progress", { detail: [] }));
  }

  #settle(sent, results) {
    const [first] = sent;
    if (first.isArchive) {
      // Replace the archive's row by one row per file inside it.
      const inside = results.map((result) => ({ ...first, path: result.filename, isArchive: false }));
      this.items.splice(this.items.indexOf(first), 1, ...inside);
      sent = inside;
    }
    sent.forEach((item, index) => {
      const { status, reason, code, image, faults } = results[index];
      const isThere = status === "duplicate";
      Object.assign(item, { status, code, faults, reason: isThere ? null : reason, where: isThere ? image.place.name : null });
    });
    this.#mark(sent, {});
  }

  #refuse(batch, error) {
    const isOfAFile = FAULTS_OF_A_FILE.has(error.code) || [413, 415].includes(error.status);
    if (!isOfAFile) {
      this.error = error;
      this.#enter("stopped");
    } else if (batch.length > 1) this.#mark(batch, { alone: true });
    else this.#mark(batch, { status: "rejected", reason: error.message, code: error.code });
  }

  async #wait(seconds) {
    if (this.state !== "running") return;
    this.secondsLeft = seconds;
    this.#enter("waiting");
    while (this.state === "waiting" && this.secondsLeft > 0) {
      await new Promise((resolve) => {
        this.#endWait = resolve;
        setTimeout(resolve, 1000);
      });
      this.secondsLeft -= 1;
      this.#mark([], {});
    }
    if (this.state === "waiting") this.#enter("running");
  }
}
