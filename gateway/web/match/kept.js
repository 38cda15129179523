/** Stores the answer until the tab is closed, because a phone with little memory may reload the page for its camera. */

import { tab } from "../page/storage.js";
import { KEPT } from "./session.js";
import { noteVisit } from "./visited.js";

/** @param {() => boolean} isCurrent false once another photo has been sent */
export async function keepAnswer({ reply, feedback, collection, photos }, isCurrent) {
  noteVisit(reply, feedback);
  const encoded = await Promise.all(photos.map(async ({ blob, isVisible }) => ({ isVisible, data: await dataUrl(blob) })));
  if (!isCurrent()) return;
  const kept = { reply, feedback, collection, photos: encoded };
  if (tab.set(KEPT, JSON.stringify(kept))) return;
  // Too large for this browser: store the answer without its photos.
  tab.set(KEPT, JSON.stringify({ ...kept, photos: photos.map(() => ({ isVisible: false, data: null })) }));
}

/** Returns what `keepAnswer` has stored. */
export function keptAnswer() {
  const kept = JSON.parse(tab.get(KEPT));
  const photos = kept.photos.map(({ data, isVisible }) => {
    const blob = data && blobOf(data);
    return { blob, isVisible, url: blob && URL.createObjectURL(blob) };
  });
  return { ...kept, photos };
}

function dataUrl(blob) {
  return new Promise((resolve) => {
    if (!blob) return resolve(null);
    const reader = new FileReader();
    reader.onloadend = () => resolve(reader.result); // null if it failed
    reader.readAsDataURL(blob);
  });
}

/** Not by fetch, because the page's security policy allows requests to its server only. */
function blobOf(url) {
  const [, type, content] = url.match(/^data:([^;,]*)[^,]*,(.*)$/s);
  return new Blob([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], { type });
}
