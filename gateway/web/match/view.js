/** The visitor's page: one big way in, progress at once, then the answer. */

import { collections } from "../page/api.js";
import { errorNotice } from "../page/dialogs.js";
import { announce, fileButton, focusHeading, h } from "../page/dom.js";
import { exhibitDrawing, icon } from "../page/icons.js";
import { t } from "../page/language.js";
import { address } from "../page/router.js";
import { PICTURES } from "./photo.js";

const CHOSEN = "collection";
const PATIENCE_MS = 4000;

let answer = null; // answer.js's panel, once it has been fetched

export function matchView({ session }, route) {
  const root = h("div", { class: "match" });
  const leave = new AbortController();
  const { signal } = leave;
  let known = null; // CollectionSummary[], null until loaded
  let patience = 0;

  const filled = () => known?.filter(({ images }) => images > 0).map(({ id }) => id) ?? [];
  const remembered = () => filled().find((id) => id === localStorage.getItem(CHOSEN));
  // An address that names a collection means that one: another museum's answer would be a wrong answer.
  const collection = () => route.query.get("collection") ?? remembered() ?? filled()[0];
  const isEmpty = () =>
    ["empty_gallery", "unknown_collection"].includes(session.error?.code) ||
    (known !== null && !filled().includes(collection()));
  if (route.query.has("collection") && session.collection !== collection()) session.reset({ quietly: true });

  const ask = (files) => session.ask(files[0], collection());

  function draw({ moveFocus = false } = {}) {
    clearTimeout(patience);
    root.className = `match ${session.phase}`;
    if (session.isBusy) fetchAnswer().catch(() => {}); // told when it is needed
    if (session.phase === "answered" && !answer) return drawAnswer(moveFocus);
    if (session.phase === "answered") root.replaceChildren(answer(session));
    else if (session.phase === "failed" && !isEmpty()) root.replaceChildren(finder(), failure());
    else if (session.isBusy) root.replaceChildren(finder(), progress());
    else if (isEmpty()) root.replaceChildren(invitation());
    else root.replaceChildren(intro(), finder(), ways());
    if (moveFocus) focusHeading(root);
  }

  /** The answer's own parts come while the photo travels. */
  async function fetchAnswer() {
    answer ??= (await import("./answer.js")).answerPanel;
  }

  async function drawAnswer(moveFocus) {
    try {
      await fetchAnswer();
      if (!signal.aborted) draw({ moveFocus });
    } catch {
      root.replaceChildren(finder(), errorNotice({ code: "network" }, { retry: () => drawAnswer(true) }));
    }
  }

  const intro = () =>
    h("div", { class: "intro" }, h("h1", {}, t("match.title")), h("p", { class: "lead" }, t("match.lead")));

  function finder() {
    const { photo } = session;
    const content = photo?.isVisible
      ? h("img", { src: photo.url, alt: t("match.photo") })
      : [exhibitDrawing(), h("p", { class: "drop-words", "aria-hidden": "true" }, t("match.drop"))];
    return h("div", { class: `finder ${session.isBusy ? "searching" : ""}` }, content);
  }

  const ways = () =>
    h(
      "div",
      { class: "ways" },
      h(
        "div",
        { class: "row" },
        fileButton({
          label: [icon("camera"), t("match.camera")],
          className: "button primary large camera",
          accept: "image/*",
          capture: "environment",
          onfiles: ask,
        }),
        fileButton({
          label: [icon("photo"), t("match.choose")],
          className: "button large choose",
          accept: PICTURES,
          onfiles: ask,
        }),
      ),
      h("p", { class: "hint muted" }, t("match.hint")),
      filled().length > 1 && whereabouts(),
    );

  const whereabouts = () =>
    h(
      "label",
      { class: "field where" },
      h("span", {}, t("match.where")),
      h(
        "select",
        { onchange: (event) => choose(event.target.value) },
        filled().map((id) => h("option", { value: id, selected: id === collection() }, id)),
      ),
    );

  function choose(id) {
    localStorage.setItem(CHOSEN, id);
    if (route.query.has("collection")) location.hash = `${address("match")}?collection=${encodeURIComponent(id)}`;
  }

  function progress() {
    const words = h("p", { class: "words" }, t(`match.${session.phase}`));
    const considered = h("ul", { class: "considered" }, session.candidates.map(glimpse));
    if (session.phase === "comparing") {
      patience = setTimeout(() => (words.textContent = t("match.patience")), PATIENCE_MS);
    }
    return h(
      "div",
      { class: "progress" },
      h("h1", { class: "visually-hidden" }, t("match.title")),
      words,
      h("progress", {
        "aria-label": t(`match.${session.phase}`),
        max: 1,
        value: session.phase === "uploading" ? session.progress : null,
      }),
      considered,
      h("button", { class: "button", onclick: () => session.reset() }, t("cancel")),
    );
  }

  /** What looks alike, shown while it is compared closely. */
  const glimpse = ({ preview_url: src, place }) =>
    h("li", {}, h("img", { src, alt: "" }), h("span", { class: "muted" }, place.name));

  const failure = () =>
    h(
      "div",
      { class: "failure" },
      h("h1", { class: "visually-hidden" }, t("match.title")),
      errorNotice(session.error, { retry: () => session.retry() }),
      fileButton({
        label: [icon("camera"), t("match.again")],
        className: "button primary large",
        accept: PICTURES,
        onfiles: ask,
      }),
    );

  const invitation = () =>
    h(
      "div",
      { class: "invitation" },
      h("div", { class: "finder" }, exhibitDrawing()),
      h("h1", {}, t("match.empty.title")),
      h("p", { class: "lead" }, t("match.empty.text")),
      h("a", { class: "button primary large", href: address("collections") }, icon("plus"), t("match.empty.action")),
    );

  function onchange() {
    const isSettled = ["answered", "failed", "idle"].includes(session.phase);
    draw({ moveFocus: isSettled });
    if (session.isBusy) announce(t(`match.${session.phase}`));
    if (session.phase === "answered") scrollTo(0, 0);
  }

  function onprogress() {
    const bar = root.querySelector("progress");
    if (bar) bar.value = session.progress;
  }

  function oncandidates() {
    root.querySelector(".considered")?.replaceChildren(...session.candidates.map(glimpse));
    const words = t("match.candidates", { place: session.candidates[0].place.name });
    root.querySelector(".words").textContent = words;
    announce(words);
  }

  function take(event, transfer) {
    const picture = [...(transfer?.files ?? [])].find(
      (file) => file.type.startsWith("image/") || /\.hei[cf]$/i.test(file.name),
    );
    if (!picture) return;
    event.preventDefault();
    ask([picture]);
  }

  session.addEventListener("change", onchange, { signal });
  session.addEventListener("progress", onprogress, { signal });
  session.addEventListener("candidates", oncandidates, { signal });
  document.addEventListener("paste", (event) => take(event, event.clipboardData), { signal });
  document.addEventListener(
    "dragover",
    (event) => {
      event.preventDefault();
      root.classList.add("dragging");
    },
    { signal },
  );
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? root.classList.remove("dragging"), {
    signal,
  });
  document.addEventListener(
    "drop",
    (event) => {
      event.preventDefault(); // a file that is no picture must not replace the page either
      root.classList.remove("dragging");
      take(event, event.dataTransfer);
    },
    { signal },
  );

  draw();
  collections().then(
    (list) => {
      known = list;
      if (session.phase === "idle" && !signal.aborted) draw();
    },
    () => {}, // the visitor can still ask; a failure will be told with the answer
  );
  const dispose = () => {
    clearTimeout(patience);
    leave.abort();
  };
  return { title: t("nav.match"), element: root, dispose };
}
