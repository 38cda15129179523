/** Deletions that can be taken back: nothing is deleted before the time for that is over, or the page is left. */

import { errorNotice } from "../page/dialogs.js";
import { announce, h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { t } from "../page/language.js";

const UNDO_MS = 8000;

/** Fires `change` when something is to be hidden or shown again. */
export class Deletions extends EventTarget {
  #pending = new Map(); // by key
  #toasts = h("div", { class: "toasts" });

  constructor() {
    super();
    document.body.append(this.#toasts);
    addEventListener("pagehide", () => this.#leave());
  }

  /** Whether what has this key is to look deleted. */
  has(key) {
    return this.#pending.has(key);
  }

  /**
   * @param {string} key of what goes, made with `deletionKey`
   * @param {string} sentence says what goes
   * @param {(options: RequestInit) => Promise} run deletes it; its requests are sent with `options`
   */
  add(key, sentence, run) {
    const undo = h("button", { class: "button small", onclick: () => this.#undo(key) }, t("delete.undo"));
    const toast = h("div", { class: "toast", role: "status" }, icon("bin"), h("span", {}, sentence), undo);
    const start = () => setTimeout(() => this.#carryOut(key), UNDO_MS);
    const entry = { run, toast, timer: start(), isRunning: false };
    // Whoever is on the way to the button is not hurried.
    undo.addEventListener("focus", () => clearTimeout(entry.timer));
    undo.addEventListener("blur", () => !entry.isRunning && this.has(key) && (entry.timer = start()));
    this.#pending.set(key, entry);
    this.#toasts.append(toast);
    this.#changed();
  }

  #undo(key) {
    const { toast, timer, isRunning } = this.#pending.get(key);
    if (isRunning) return;
    clearTimeout(timer);
    this.#pending.delete(key);
    toast.remove();
    announce(t("delete.undone"));
    this.#changed();
  }

  async #carryOut(key) {
    const entry = this.#pending.get(key);
    entry.isRunning = true;
    try {
      await entry.run({});
      entry.toast.remove();
    } catch (error) {
      const dismiss = () => entry.toast.remove();
      entry.toast.replaceChildren(errorNotice(error, { retry: dismiss, retryLabel: t("close") }));
    }
    this.#pending.delete(key);
    this.#changed();
  }

  /** The page goes: what was promised to go goes with it. */
  #leave() {
    for (const { run, timer, isRunning } of this.#pending.values()) {
      clearTimeout(timer);
      if (!isRunning) run({ keepalive: true }).catch(() => {}); // nobody is left to be told
    }
    this.#pending.clear();
    this.#toasts.replaceChildren();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

export const deletionKey = (...parts) => JSON.stringify(parts);

let deletions = null;

/** Those of this page, which outlive its views. */
export function pendingDeletions() {
  return (deletions ??= new Deletions());
}
