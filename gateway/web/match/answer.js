/** The answer to a photo: the place, a place to compare with, or "not in the collection"; and the other candidates. */

import { openFetched } from "../page/dialogs.js";
import { announce, h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { t, useWords } from "../page/language.js";
import { about, fetchInto } from "./about.js";
import { feedbackPanel } from "./feedback.js";
import { isCanvasTrue } from "./photo.js";
import { openBesideCamera, photoButtons, viewButton } from "./ways.js";

const WORDS = ["answer.probable", "answer.likely", "answer.certain"];

/** The confidence in words and as up to three bars; fewer bars without a verification. */
export function confidenceWords({ confidence, verification, decision }) {
  const most = verification === "done" && decision?.calibration !== "stale" ? 3 : 2;
  const bars = Math.min(most, confidence >= 0.95 ? 3 : confidence >= 0.8 ? 2 : 1);
  return { key: WORDS[bars - 1], bars };
}

const isMaybe = (reply) => reply.answer === "maybe";
const isUncertain = (reply) => !reply.matched || confidenceWords(reply).bars < 3;

/** @param {(file: File) => void} ask about another thing */
export function answerPanel(session, ask) {
  const { reply, photos } = session;
  const photo = photos[reply.candidates[0]?.photo ?? 0];
  const others = considered(reply);
  const compare = (index) =>
    openFetched(() => [import("./comparison.js")], ({ openComparison }) => openComparison(photos, reply.candidates, index));
  const consent = h("div", { class: "views", hidden: true });
  const seekConsent = () =>
    import("./consent.js").then(({ askForPhoto }) => askForPhoto(session, consent)).catch(() => {}); // nothing is sent then
  if (!reply.matched || session.feedback) seekConsent();
  return h(
    "div",
    { class: `answer ${reply.matched ? "found" : "unknown"}` },
    h(
      "div",
      { class: "finder locked" },
      photo.isVisible
        ? h("img", { src: photo.url, alt: t("match.photo") })
        : h("p", { class: "muted" }, t("match.photo")),
    ),
    h(
      "div",
      { class: "said" },
      reply.matched ? recognised(reply, compare) : isMaybe(reply) ? perhaps(reply, compare) : unrecognised(),
      reply.verification === "unavailable" && h("p", { class: "notice" }, icon("alert"), t("answer.unverified")),
    ),
    h(
      "div",
      { class: "again" },
      photoButtons({ take: t("match.again"), choose: t("match.other"), onfile: ask }),
    ),
    photo.isVisible && photo.blob && isCanvasTrue() && partButton(photo, ask),
    isUncertain(reply) && session.takesView && anotherView(session),
    session.takesFeedback && feedbackPanel(session, compare, seekConsent),
    consent,
    others.length > 0 &&
      h(
        "section",
        { class: "others" },
        h("h2", {}, t(reply.matched || isMaybe(reply) ? "answer.others" : "answer.none.guesses")),
        h(
          "ul",
          { class: "cards" },
          others.map((other) => candidateCard(other, reply, () => compare(reply.candidates.indexOf(other)))),
        ),
      ),
    details(reply),
  );
}

const partButton = (photo, ask) =>
  h(
    "button",
    { class: "button part", onclick: () => openBesideCamera(() => import("./crop.js"), ({ openCrop }) => openCrop(photo, ask)) },
    icon("mark"),
    t("answer.part"),
  );

function anotherView(session) {
  const count = session.photos.length;
  return h(
    "div",
    { class: "views" },
    h("p", { class: "muted" }, count > 1 ? t("answer.views", { count }) : t("answer.view.help")),
    viewButton(t("answer.view"), (file) => session.addView(file)),
  );
}

function recognised(reply, compare) {
  const { place } = reply;
  const { key, bars } = confidenceWords(reply);
  announce(t("answer.announce", { place: place.name, words: t(key) }));
  return [
    h("p", { class: "eyebrow" }, t("answer.eyebrow")),
    h("h1", { class: "place-name" }, place.name),
    h(
      "p",
      { class: "confidence" },
      h(
        "span",
        { class: "bars", "aria-hidden": "true" },
        [1, 2, 3].map((bar) => h("i", { class: bar <= bars ? "full" : "" })),
      ),
      t(key),
    ),
    ...about(
      place,
      reply.collection,
      reply.candidates.length > 0 &&
        h("button", { class: "button", onclick: () => compare(0) }, icon("photo"), t("answer.photos")),
    ),
  ];
}

/** A place to compare with; the feedback below asks whether it is this one. */
function perhaps(reply, compare) {
  const [candidate] = reply.candidates;
  announce(t("answer.maybe.announce", { place: candidate.place.name }));
  return [
    h("p", { class: "eyebrow" }, t("answer.maybe.eyebrow")),
    h("h1", { class: "place-name" }, candidate.place.name),
    h("p", { class: "description" }, t("answer.maybe.text")),
    h("ul", { class: "cards" }, candidateCard(candidate, reply, () => compare(0))),
  ];
}

function unrecognised() {
  announce(t("answer.none.announce"));
  return [
    h("p", { class: "eyebrow" }, t("answer.none.eyebrow")),
    h("h1", {}, t("answer.none.title")),
    h("p", { class: "description" }, t("answer.none.text")),
  ];
}

/** The other candidates; with a certain answer, only those that were not rejected. */
function considered(reply) {
  if (!reply.matched) return isMaybe(reply) ? reply.candidates.slice(1) : reply.candidates;
  return reply.candidates.slice(1).filter(({ verdict }) => isUncertain(reply) || verdict?.is_match);
}

/** The verdict on one candidate; never more certain than the answer. */
function candidateWords({ verdict }, { matched }) {
  if (!verdict) return "answer.unseen";
  if (!verdict.is_match) return "answer.different";
  return matched ? "answer.same" : "answer.partly";
}

function candidateCard(candidate, reply, open) {
  const { place } = candidate;
  const words = candidateWords(candidate, reply);
  return h(
    "li",
    {},
    h(
      "button",
      { class: "card", onclick: open },
      h("img", { src: candidate.preview_url, alt: "", loading: "lazy" }),
      h("span", { class: "card-name" }, place.name),
      h("span", { class: "muted" }, t(words)),
      h("span", { class: "visually-hidden" }, t("answer.open")),
    ),
  );
}

/** How the answer was found; its code and texts are fetched when it is opened. */
function details(reply) {
  const body = h("div");
  const load = () =>
    fetchInto(body, () => [import("./details.js"), useWords("details/")], ({ detailsOf }) => [detailsOf(reply)]);
  return h("details", { class: "details", ontoggle: load }, h("summary", {}, t("answer.details")), body);
}
