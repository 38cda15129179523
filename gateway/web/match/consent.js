/** Asks whether the museum may keep a photo that was not recognised with certainty, or wrongly; sends it after a yes. */

import { json } from "../page/api.js";
import { errorNotice } from "../page/dialogs.js";
import { h } from "../page/dom.js";
import { t, useWords } from "../page/language.js";
import { tab } from "../page/storage.js";

const SENT = "sent"; // `request_id` of the answer whose photos were sent; a reload keeps it

/**
 * @param {MatchSession} session with an answer that may be wrong
 * @param {HTMLElement} root gets the question, where the server takes photos; stays hidden otherwise
 */
export async function askForPhoto(session, root) {
  const { reply, photos } = session;
  const path = `inbox?request_id=${encodeURIComponent(reply.request_id)}`;
  const blobs = photos.map(({ blob }) => blob).filter(Boolean);
  const isSent = () => tab.get(SENT) === reply.request_id;
  const isRight = () => reply.matched && session.feedback === "right";
  const isWanted = () => isSent() || (blobs.length > 0 && !isRight());
  if (!isWanted()) {
    root.hidden = true;
    return;
  }
  const [{ days }] = await Promise.all([json("inbox"), useWords("consent/")]);
  if (days === 0 || session.reply !== reply || !isWanted()) return;
  root.hidden = false;
  if (!root.hasChildNodes()) root.replaceChildren(...(isSent() ? thanks() : question()));

  /** A button; what follows on its action has the focus then. */
  function step(words, action, following) {
    const trouble = h("div", {});
    async function act() {
      button.disabled = true;
      try {
        await action();
        root.replaceChildren(...following());
        root.firstChild.focus();
      } catch (error) {
        button.disabled = false;
        trouble.replaceChildren(errorNotice(error));
      }
    }
    const button = h("button", { class: "button", onclick: act }, words);
    return [button, trouble];
  }

  function question() {
    const send = async () => {
      for (const body of blobs) await json(path, { method: "POST", body });
      tab.set(SENT, reply.request_id);
    };
    const text = h("p", {}, t("consent.text", { count: days }));
    return [h("h2", {}, t("consent.title")), text, ...step(t("consent.send"), send, thanks)];
  }

  function thanks() {
    let words = t("consent.withdrawn");
    const withdraw = async () => {
      try {
        await json(path, { method: "DELETE" });
      } catch (error) {
        if (error.code !== "unknown_inbox_photo") throw error;
        words = t("consent.gone");
      }
      tab.remove(SENT);
    };
    const said = () => [h("p", { tabindex: -1 }, words)];
    return [h("p", { tabindex: -1 }, t("consent.thanks")), ...step(t("consent.withdraw"), withdraw, said)];
  }
}
