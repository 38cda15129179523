/** "Right" and "wrong" under an answer; after "wrong", the right place. A new choice replaces the former. */

import { fetchJson } from "../page/api.js";
import { announce, h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { t } from "../page/language.js";

// Errors of a server that stores no matches, or of a caller who may not give feedback.
const REFUSALS = ["unknown_match", "unauthorized", "forbidden"];

/** `verdict` of POST /feedback, `placeId` with other_place. */
const giveFeedback = (requestId, verdict, placeId = null) =>
  fetchJson("feedback", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ request_id: requestId, verdict, place_id: placeId }),
  });

/**
 * @param {MatchSession} session with an answer; keeps the feedback when the language changes
 * @param {(index: number) => void} open the comparison with a candidate
 * @param {() => void} onsaid called when the server has the feedback
 */
export function feedbackPanel(session, open, onsaid) {
  const { reply } = session;
  const maybe = reply.answer === "maybe" ? reply.candidates[0].place.id : null;
  const others = reply.matched || maybe ? reply.candidates.slice(1) : reply.candidates;
  // "Right" under "not found" would be ambiguous, so the question names its subject.
  const asked = reply.matched ? "feedback" : maybe ? "feedback.maybe" : "feedback.none";
  const right = maybe ? `place ${maybe}` : "right";
  const buttons = new Map();

  const choice = (name, label, verdict, placeId = null) => {
    const onclick = () => say(name, verdict, placeId);
    const button = h("button", { class: "button", onclick }, label);
    buttons.set(name, button);
    return button;
  };

  async function say(name, verdict, placeId) {
    const before = session.feedback;
    session.feedback = name;
    show(name === "wrong" ? "feedback.which" : "feedback.thanks");
    try {
      await giveFeedback(reply.request_id, verdict, placeId);
      if (session.reply !== reply) return;
      session.keep().catch(() => {}); // only a reload would lose it
      onsaid();
    } catch (error) {
      if (session.reply !== reply) return;
      session.feedback = before;
      session.takesFeedback = !REFUSALS.includes(error.code);
      show(session.takesFeedback ? "feedback.failed" : "feedback.refused");
    }
  }

  const choices = h(
    "div",
    { class: "row" },
    choice(right, [icon("check"), t(`${asked}.right`)], maybe ? "other_place" : "right", maybe),
    choice("wrong", [icon("cross"), t(`${asked}.wrong`)], "wrong"),
  );
  const instead = h(
    "div",
    { class: "row" },
    others.map(({ place }) => choice(`place ${place.id}`, place.name, "other_place", place.id)),
    choice("else", t("feedback.else"), "wrong"),
  );
  const note = h("p", { class: "muted" });
  const read = h("button", { class: "button", onclick: () => open(claimed()) }, icon("photo"), "");
  /** The index of the candidate chosen as right, -1 if none was. */
  const claimed = () => reply.candidates.findIndex(({ place }) => `place ${place.id}` === session.feedback);

  function show(key) {
    const said = session.feedback;
    for (const [name, button] of buttons) {
      const isWrong = name === "wrong" && said !== null && said !== right;
      button.setAttribute("aria-pressed", String(name === said || isWrong));
    }
    choices.hidden = !session.takesFeedback;
    instead.hidden = !session.takesFeedback || said === null || said === right;
    note.textContent = key ? t(key) : "";
    read.hidden = claimed() < 0;
    if (!read.hidden) read.lastChild.textContent = t("feedback.read", { name: reply.candidates[claimed()].place.name });
    if (key) announce(note.textContent);
  }

  show(session.feedback === "wrong" ? "feedback.which" : session.feedback && "feedback.thanks");
  return h(
    "section",
    { class: "feedback" },
    h("h2", {}, t(`${asked}.question`)),
    choices,
    note,
    instead,
    read,
  );
}
