/** Parts of a page that ask the server only when somebody opens them. */

import { errorNotice } from "../page/dialogs.js";
import { h } from "../page/dom.js";
import { t } from "../page/language.js";

/**
 * @param {string} title
 * @param {(signal: AbortSignal) => Promise<Node[]>} load what to show; called at each opening and by `reload`
 * @returns {{element: HTMLElement, reload: () => void, dispose: () => void}}
 */
export function foldedSection(title, load) {
  const leave = new AbortController();
  const body = h("div", { class: "folded-body" });
  const element = h(
    "details",
    { class: "panel folded", ontoggle: () => element.open && reload() },
    h("summary", {}, h("h2", {}, title)),
    body,
  );

  async function reload() {
    if (!body.hasChildNodes()) body.append(h("p", { class: "muted", role: "status" }, t("loading")));
    try {
      const content = await load(leave.signal);
      if (!leave.signal.aborted) body.replaceChildren(...content);
    } catch (error) {
      if (!leave.signal.aborted) body.replaceChildren(errorNotice(error, { retry: reload }));
    }
  }

  return { element, reload, dispose: () => leave.abort() };
}

/** Wait, or stop waiting when the page is left. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()));
  });
}
