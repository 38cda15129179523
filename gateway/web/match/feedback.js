/** "Right" and "wrong" under an answer; after "wrong", what it is instead. Choosing again takes the former back. */

import { giveFeedback } from "../page/api.js";
import { announce, h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { t } from "../page/language.js";

// So answers a server that keeps no matches, or lets this person say nothing of them.
const REFUSALS = ["unknown_match", "unauthorized", "forbidden"];

/**
 * @param {MatchSession} session answered; keeps what was said, which a change of language must not forget
 * @param {(index: number) => void} open the text and the photos of a candidate
 */
export function feedbackPanel(session, open) {
  const { reply } = session;
  const others = reply.matched ? reply.candidates.slice(1) : reply.candidates;
  // "Right" under "not found" could mean either: the question names what it is about.
  const asked = reply.matched ? "feedback" : "feedback.none";
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
      if (session.reply === reply) session.keep().catch(() => {}); // a reload will forget it
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
    choice("right", [icon("check"), t(`${asked}.right`)], "right"),
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
  /** The candidate that this is said to be, -1 where none was named. */
  const claimed = () => reply.candidates.findIndex(({ place }) => `place ${place.id}` === session.feedback);

  function show(key) {
    const said = session.feedback;
    for (const [name, button] of buttons) {
      const isWrong = name === "wrong" && said !== null && said !== "right";
      button.setAttribute("aria-pressed", String(name === said || isWrong));
    }
    choices.hidden = !session.takesFeedback;
    instead.hidden = !session.takesFeedback || said === null || said === "right";
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
