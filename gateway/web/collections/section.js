/** Folded sections of a page; their code and data are fetched when they are opened. */

import { errorNotice, loadingNotice } from "../page/dialogs.js";
import { h } from "../page/dom.js";

/**
 * @param {string} title
 * @param {(section) => Promise<(signal: AbortSignal) => Promise<Node[]>>} fetchContent called at the first opening, with
 *   this section; resolves to a function that loads the content, at every opening and for `reload`
 * @returns {{element: HTMLElement, reload: () => void, dispose: () => void}}
 */
export function foldedSection(title, fetchContent) {
  const leave = new AbortController();
  const body = h("div", { class: "folded-body" });
  const element = h(
    "details",
    { class: "panel folded", ontoggle: () => element.open && reload() },
    h("summary", {}, h("h2", {}, title)),
    body,
  );
  const section = { element, reload, dispose: () => leave.abort() };
  let load = null;

  async function reload() {
    if (!body.hasChildNodes()) body.append(loadingNotice());
    try {
      load ??= await fetchContent(section);
      const content = await load(leave.signal);
      if (!leave.signal.aborted) body.replaceChildren(...content);
    } catch (error) {
      const told = error instanceof TypeError ? { code: "network" } : error; // a module that cannot be fetched
      if (!leave.signal.aborted) body.replaceChildren(errorNotice(told, { retry: reload }));
    }
  }

  return section;
}

/** Wait; stop waiting when the page is left. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()));
  });
}
