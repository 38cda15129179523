/** The upload panel: drop or choose photos, review, start; then the progress. */

import { announce, fileButton, h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { currentLanguage, inARow, t } from "../page/language.js";
import { forget, interrupted } from "./interrupted.js";

// The code of uploads is fetched with the first upload.
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
    draw(dropZone(receive, { message, isOnePlace: Boolean(place) }));
    if (broken) offerToGoOn(broken);
  }

  async function offerToGoOn(broken) {
    const zone = root.firstChild;
    const { resumption } = await reviews();
    if (zone.isConnected) zone.before(resumption(broken, () => (forget(broken.tab), invite())));
  }

  /** The progress of the running or finished upload; nothing before the first one. */
  async function follow() {
    if (progress || queue.state === "idle") return;
    const { uploadProgress } = await import("./progress.js");
    if (progress || leave.signal.aborted) return;
    progress = uploadProgress(queue, { collection });
    below.replaceWith(progress.element);
  }

  async function receive(selecting) {
    draw(h("p", { class: "muted", role: "status" }, t("upload.reading")));
    let form;
    try {
      const [selection, { review }] = await Promise.all([selecting, reviews()]);
      const problem = selection.unreadable.map((name) => t("upload.unreadable", { name })).join(" ");
      const plan = interrupted({ collection, place });
      const onstart = (...chosen) => (plan && forget(plan.tab), start(...chosen));
      form = await review(selection, problem, { collection, place, plan, onstart, oncancel: () => invite() });
      if (!form) return invite(problem || t("upload.nothing"));
    } catch (error) {
      // A folder that has been removed, a manifest that cannot be read, or no connection.
      if (error instanceof TypeError || error.code === "network") return invite(t("error.network"));
      return invite(error.code === "invalid_request" ? `${t("upload.manifest.bad")} ${error.message}` : error.message);
    }
    draw(form);
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
    // Read at once: after the event, the browser no longer has the drop's data.
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
        accept: "image/*,.heic,.heif,.hif,.avif",
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
    !isOnePlace && h("a", { href: `index/manifest-template?language=${currentLanguage()}` }, t("upload.template")),
  );
}
