/** Finds places of a collection while somebody types, for a dialog that lets them choose one. */

import { errorNotice } from "../page/dialogs.js";
import { h } from "../page/dom.js";
import { places } from "./api.js";

const TYPING_PAUSE_MS = 250;

/**
 * @param {HTMLElement} found gets what `draw` makes of the places and of the text that was searched for
 * @returns {{input: HTMLInputElement, find: () => Promise<void>, stop: () => void}} `stop` ends a search that is due
 */
export function placeSearch({ collection, limit, found, draw }, attributes = {}) {
  const input = h("input", { type: "search", autocomplete: "off", oninput, ...attributes });
  let typing = 0;
  let asked = 0;

  function oninput() {
    clearTimeout(typing);
    typing = setTimeout(find, TYPING_PAUSE_MS);
  }

  async function find() {
    const request = ++asked;
    const text = input.value.trim();
    try {
      const page = await places({ collection, search: text, limit });
      if (request === asked) found.replaceChildren(...draw(page.places, text));
    } catch (error) {
      if (request === asked) found.replaceChildren(errorNotice(error, { retry: find }));
    }
  }

  return { input, find, stop: () => clearTimeout(typing) };
}
