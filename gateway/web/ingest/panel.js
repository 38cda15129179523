/** The way in for photos: drop or choose, review, start; then the upload's progress. */

import { announce, fileButton, h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { inARow, t } from "../page/language.js";
import { forget, interrupted } from "./interrupted.js";

// What only an upload needs is fetched with the first one.
const sources = () => import("./sources.js");
const reviews = () => import("./review.js");

/**
 * @param {IngestQueue} queue
 * @param {{collection: string, place?: {id: string}}} target `place` fixes where all photos go
 * @returns {{element: HTMLElement, dispose: () => void}}
 */
export function uploadPanel(queue, { collection, place = null }) {
  const root = h("div", { class: "upload" });
  const leave = new AbortController();
  const below = h("div", { hidden: true });
  let progress = null;

  function draw(...content) {
    root.replaceChildren(...content);
  }

  function invite(message) {
    const broken = queue.isUnfinished ? null : interrupted({ collection, place });
    draw(
      ...(broken ? [resumption(broken, () => (forget(broken.tab), invite()))] : []),
      dropZone(receive, { message, isOnePlace: Boolean(place) }),
    );
  }

  /** The upload that is running or was, as soon as there is one. */
  async function follow() {
    if (progress || queue.state === "idle") return;
    const { uploadProgress } = await import("./progress.js");
    if (progress || leave.signal.aborted) return;
    progress = uploadProgress(queue, { collection });
    below.replaceWith(progress.element);
  }

  async function receive(selecting) {
    draw(h("p", { class: "muted", role: "status" }, t("upload.reading")));
    let selection, review;
    try {
      [selection, { review }] = await Promise.all([selecting, reviews()]);
    } catch (error) {
      // A folder that vanished or may not be read; or a part of the page that could not be fetched.
      return invite(error instanceof TypeError ? t("error.network") : error.message);
    }
    const problem = selection.unreadable.map((name) => t("upload.unreadable", { name })).join(" ");
    if (selection.photos.length + selection.archives.length === 0) return invite(problem || t("upload.nothing"));
    const plan = interrupted({ collection, place });
    draw(review(selection, problem, { collection, place, plan, onstart: (...chosen) => (plan && forget(plan.tab), start(...chosen)), oncancel: () => invite() }));
    root.querySelector("h3").focus();
  }

  async function start(items, plan) {
    queue.add(items, { collection, place, ...plan });
    invite();
    await follow();
    progress?.element.querySelector("h3")?.focus();
    announce(t("upload.running"));
  }

  invite();
  follow();
  queue.addEventListener("change", follow, { signal: leave.signal });
  const accept = (event) => {
    event.preventDefault();
    root.classList.remove("dragging");
    if (!event.dataTransfer?.items.length) return;
    // Asked for at once: the browser forgets the drop right after the event.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    receive(sources().then(({ fromEntries }) => fromEntries(entries)));
  };
  const hover = (event) => {
    event.preventDefault();
    root.classList.add("dragging");
  };
  const away = (event) => event.relatedTarget ?? root.classList.remove("dragging");
  document.addEventListener("dragover", hover, { signal: leave.signal });
  document.addEventListener("dragleave", away, { signal: leave.signal });
  document.addEventListener("drop", accept, { signal: leave.signal });
  const dispose = () => {
    leave.abort();
    progress?.dispose();
  };
  return { element: h("div", { class: "upload-panel" }, root, below), dispose };
}

function dropZone(receive, { message, isOnePlace }) {
  const choose = (files) => receive(sources().then(({ fromFiles }) => fromFiles(files)));
  return h(
    "div",
    { class: "dropzone" },
    icon("photo"),
    h("p", { class: "drop-title" }, t("upload.drop")),
    h("p", { class: "muted" }, inARow(t("upload.drop.help"), !isOnePlace && t("upload.drop.folders"))),
    message && h("p", { class: "notice", role: "alert" }, icon("alert"), message),
    h(
      "div",
      { class: "row" },
      fileButton({
        label: [icon("photo"), t("upload.photos")],
        multiple: true,
        accept: "image/*,.heic,.heif,.avif",
        onfiles: choose,
      }),
      fileButton({ label: [icon("folder"), t("upload.folder")], webkitdirectory: true, onfiles: choose }),
      fileButton({
        label: [icon("archive"), t("upload.zip")],
        multiple: true,
        accept: ".zip,application/zip",
        onfiles: choose,
      }),
    ),
  );
}

/** An upload of this place that a reload or a crash has ended: it goes on when the same is chosen again. */
const resumption = ({ done, total }, ondismiss) =>
  h(
    "div",
    { class: "notice" },
    icon("alert"),
    h(
      "div",
      {},
      h("p", { class: "notice-title" }, t("upload.interrupted", { done, total })),
      h("p", {}, t("upload.interrupted.help")),
      h("button", { class: "button small", onclick: ondismiss }, t("upload.interrupted.forget")),
    ),
  );
