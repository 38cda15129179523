/** The visitor's page: the camera at #/match, and the answer at #/match/answer, from which Back leads to the camera. */

import { collections } from "../page/api.js";
import { errorNotice } from "../page/dialogs.js";
import { PICTURE_NAME, announce, focusHeading, h, styled } from "../page/dom.js";
import { exhibitDrawing, icon } from "../page/icons.js";
import { identity, isStaff, isVisitor, isVisitorMode } from "../page/identity.js";
import { t, useWords } from "../page/language.js";
import { address, currentRoute, matchAddress } from "../page/router.js";
import { device } from "../page/storage.js";
import { VISIT } from "./session.js";
import { openBesideCamera, photoButtons } from "./ways.js";
import { choose, chosen, invitation } from "./where.js";

const PATIENCE_MS = 4000;
const NOTHING_TO_ASK = ["empty_gallery", "unknown_collection"];

let answer = null; // the panel of answer.js, after it has been fetched

/** Fetches the answer's code and texts while the photo is being sent. */
export async function fetchAnswer() {
  const [{ answerPanel }] = await Promise.all([import("./answer.js"), useWords("answer/"), styled("style/answer.css")]);
  answer = answerPanel;
}

let isOneStepBack = false; // whether the camera is the page before the answer in this tab's history

export function matchView({ session, entitle, present }) {
  const root = h("div", { class: "match" });
  const leave = new AbortController();
  const { signal } = leave;
  let known = null; // CollectionSummary[], null until loaded
  let patience = 0;

  // A collection in the address must be used, because another museum's answer would be wrong.
  const named = () => currentRoute().query.get("collection");
  const filled = () => known?.filter(({ images }) => images > 0).map(({ id }) => id) ?? [];
  /** The present name of a collection, which may have been renamed. */
  const called = (name) => known?.find(({ id, former_names: former }) => [id, ...former].includes(name))?.id;
  const collection = () => called(named()) ?? named() ?? called(chosen()) ?? filled()[0];
  const isAnswer = () => currentRoute().segments[1] === "answer";
  const phase = () => (isAnswer() ? session.phase : "idle");

  function ask(file) {
    const asked = named();
    // A photo that is chosen before the list of collections has arrived waits for it.
    session.ask(file, async () => asked ?? ((known ??= await collections()), collection() ?? null));
    openAnswer();
  }

  function openAnswer() {
    if (isAnswer()) return;
    isOneStepBack = true;
    location.hash = matchAddress(named(), "answer");
  }

  function cancel() {
    session.reset({ quietly: true });
    if (isOneStepBack) history.back();
    else location.replace(matchAddress(named()));
  }

  function draw({ moveFocus = false } = {}) {
    clearTimeout(patience);
    const now = phase();
    moveFocus ||= root.contains(document.activeElement); // because the focused element is replaced
    root.className = `match ${now}`;
    if (session.isBusy && !answer) fetchAnswer().catch(() => {}); // the error is shown with the answer
    if (now === "answered" && !answer) return drawAnswer(moveFocus);
    if (now === "answered") root.replaceChildren(answer(session, ask));
    else if (now === "failed") root.replaceChildren(...failed());
    else if (now !== "idle") root.replaceChildren(finder(), progress());
    else if (known !== null && !filled().includes(collection())) root.replaceChildren(nothingHere());
    else root.replaceChildren(intro(), finder(), ways());
    if (moveFocus) focusHeading(root);
    entitle(now === "answered" && session.reply.matched ? session.reply.place.name : t("nav.match"));
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
    const photo = isAnswer() && session.photo;
    const content = photo?.isVisible
      ? h("img", { src: photo.url, alt: t("match.photo") })
      : [exhibitDrawing(), h("p", { class: "drop-words", "aria-hidden": "true" }, t("match.drop"))];
    return h("div", { class: `finder ${session.isBusy ? "searching" : ""}` }, content);
  }

  const ways = () =>
    h(
      "div",
      { class: "ways" },
      h("div", { class: "row" }, photoButtons({ take: t("match.camera"), choose: t("match.choose"), onfile: ask })),
      h("p", { class: "hint muted" }, t("match.hint")),
      h("button", { class: "button plain", onclick: showTips }, t("match.tips")),
      // A QR code fixes the visitor's collection; staff may change it.
      filled().length > 1 && (isStaff() || !(named() ?? invitation())) && whereabouts(),
      device.get(VISIT) && h("a", { class: "button", href: address("visit") }, t("visit.title")),
      isVisitor() && !isVisitorMode && h("a", { class: "staff", href: address("collections") }, t("match.staff")),
    );

  const showTips = () => openBesideCamera(() => import("./tips.js"), ({ openTips }) => openTips());

  const whereabouts = () =>
    h(
      "label",
      { class: "field where" },
      h("span", {}, t("match.where")),
      h(
        "select",
        { onchange: (event) => goTo(event.target.value) },
        filled().map((id) => h("option", { value: id, selected: id === collection() }, id)),
      ),
    );

  /** Use another collection from now on; a photo that is there is matched at once. */
  function goTo(id) {
    choose(id);
    present(id);
    if (!isAnswer()) return named() ? (location.hash = matchAddress(id)) : draw();
    history.replaceState(null, "", matchAddress(id, "answer"));
    session.retry(async () => id);
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
      h("button", { class: "button", onclick: cancel }, t("cancel")),
    );
  }

  /** The candidates, shown while they are being verified. */
  const glimpse = ({ preview_url: src, place }) =>
    h("li", {}, h("img", { src, alt: "" }), h("span", { class: "muted" }, place.name));

  function failed() {
    if (!NOTHING_TO_ASK.includes(session.error.code)) return [finder(), failure()];
    if (known !== null) return [nothingHere()];
    load().then(() => known ?? root.replaceChildren(finder(), failure()));
    return [finder()];
  }

  const failure = () =>
    h(
      "div",
      { class: "failure" },
      h("h1", { class: "visually-hidden" }, t("match.title")),
      errorNotice(session.error, { retry: () => session.retry() }),
      h("div", { class: "row" }, photoButtons({ take: t("match.again"), choose: t("match.other"), onfile: ask })),
    );

  /** Shown if the collection has no photos: the link is outdated, or nothing has been added yet. */
  function nothingHere() {
    const others = known.some(({ id }) => id === named()) ? [] : filled();
    const isOutdated = Boolean(named()) && others.length > 0;
    const words = isOutdated ? "outdated" : "empty";
    const add = () =>
      h(
        "a",
        { class: "button primary large", href: address("collections", ...(named() && !isOutdated ? [named()] : [])) },
        icon(isOutdated ? "folder" : "plus"),
        t(isOutdated ? "nav.collections" : "match.empty.action"),
      );
    return h(
      "div",
      { class: "invitation" },
      h("div", { class: "finder" }, exhibitDrawing()),
      h("h1", {}, t(`match.${words}.title`)),
      h("p", { class: "lead" }, t(isStaff() || isOutdated ? `match.${words}.text` : "match.empty.visitor")),
      isOutdated && h("div", { class: "row" }, others.map((id) => h("button", { class: "button", onclick: () => goTo(id) }, id))),
      isStaff() && add(),
    );
  }

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
      (file) => file.type.startsWith("image/") || PICTURE_NAME.test(file.name),
    );
    if (!picture) return;
    event.preventDefault();
    ask(picture);
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
      event.preventDefault(); // a dropped file of any kind must not replace the page
      root.classList.remove("dragging");
      take(event, event.dataTransfer);
    },
    { signal },
  );
  identity.addEventListener("change", () => phase() === "idle" && draw(), { signal });

  async function load() {
    const all = await collections().catch(() => null); // matching may still work; else the answer shows the error
    known = all?.filter(({ images }) => images > 0) ?? null;
    if (signal.aborted || !known) return;
    present(filled().includes(collection()) ? collection() : null);
    if (["idle", "failed"].includes(phase())) draw();
  }

  /** After a reload: show the stored answer, else the camera. */
  async function restore() {
    const isThere = await session.restore().catch(() => false);
    if (signal.aborted) return;
    if (!isThere) return location.replace(matchAddress(named()));
    present(session.collection);
    draw({ moveFocus: true });
  }

  if (!isAnswer() && session.isBusy) session.reset({ quietly: true }); // after Back or a change to the camera, the answer is no longer wanted
  const isOfAnother = () => named() && session.collection && session.collection !== named();
  const isToRestore = isAnswer() && session.phase === "idle";
  draw();
  if (!isAnswer()) load();
  else if (isOfAnother()) location.replace(matchAddress(named()));
  else if (isToRestore) restore();
  const dispose = () => {
    clearTimeout(patience);
    leave.abort();
  };
  return { title: t("nav.match"), element: root, dispose };
}
