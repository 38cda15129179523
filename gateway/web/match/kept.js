/** The answer on screen, kept until the tab is closed: a reload, or the camera of a phone short of memory, loses nothing. */

import { tab } from "../page/storage.js";
import { KEPT } from "./session.js";

/** @param {() => boolean} isCurrent false once something else has been asked */
export async function keepAnswer({ reply, feedback, collection, photos }, isCurrent) {
  const encoded = await Promise.all(photos.map(async ({ blob, isVisible }) => ({ isVisible, data: await dataUrl(blob) })));
  if (!isCurrent()) return;
  const kept = { reply, feedback, collection, photos: encoded };
  if (tab.set(KEPT, JSON.stringify(kept))) return;
  // Too much for this browser: the answer without its photos.
  tab.set(KEPT, JSON.stringify({ ...kept, photos: photos.map(() => ({ isVisible: false, data: null })) }));
}

/** What `keepAnswer` kept. */
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
    reader.onloadend = () => resolve(reader.result); // null where it failed
    reader.readAsDataURL(blob);
  });
}

/** Not by fetch: the page's policy lets it ask nobody but its server. */
function blobOf(url) {
  const [, type, content] = url.match(/^data:([^;,]*)[^,]*,(.*)$/s);
  return new Blob([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], { type });
}
