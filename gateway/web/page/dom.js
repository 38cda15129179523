/** Creates the nodes of the page, with data as text only (but see match/about.js), and announces changes to screen readers. */

const SVG = "http://www.w3.org/2000/svg";

function apply(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...present(children.flat()));
  return element;
}

const present = (children) => children.filter((child) => child !== null && child !== undefined && child !== false);

/** An HTML element. `onclick` and its like become listeners; strings among the children become text nodes. */
export function h(tag, attributes = {}, ...children) {
  return apply(document.createElement(tag), attributes, children);
}

/** The same for SVG elements, which have their own namespace. */
export function svg(tag, attributes = {}, ...children) {
  return apply(document.createElementNS(SVG, tag), attributes, children);
}

/** Announce a text to screen readers without moving the focus. */
export function announce(text) {
  const live = document.getElementById("live");
  // An unchanged text would not be announced again.
  live.textContent = "";
  requestAnimationFrame(() => (live.textContent = text));
}

/** Move the focus to a new heading. */
export function focusHeading(root) {
  const heading = root.querySelector("h1, h2, h3");
  if (!heading) return;
  heading.setAttribute("tabindex", "-1");
  heading.focus({ preventScroll: true });
}

/** Replace the children of `parent`; if the focus was inside, move it to the new heading. */
export function refill(parent, ...children) {
  const hadFocus = parent.contains(document.activeElement);
  parent.replaceChildren(...present(children));
  if (hadFocus) focusHeading(parent);
}

/** Load one of the page's style sheets. */
export function styled(href) {
  if (document.querySelector(`link[href="${href}"]`)) return null;
  const sheet = h("link", { rel: "stylesheet", href });
  const loaded = new Promise((resolve) => {
    sheet.onload = resolve;
    sheet.onerror = () => resolve(sheet.remove()); // without it the view is usable, but unstyled
  });
  document.head.append(sheet);
  return loaded;
}

/** The accepted image files for an input's `accept`; by extension if browsers have no type for them. */
export const PICTURES = "image/*,.heic,.heif,.hif,.avif,.jfif,.jpe";
export const PICTURE_NAME = /\.(jpe?g?|jfif|png|webp|avif|hei[cf]|hif)$/i;

/** A file input inside a label that looks like a button; one control for mouse, keyboard and screen readers. */
export function fileButton({ label, className = "button", onfiles, ...input }) {
  const field = h("input", { type: "file", class: "visually-hidden", ...input });
  field.addEventListener("change", () => {
    const files = [...field.files];
    field.value = ""; // so that choosing the same file again fires an event
    if (files.length) onfiles(files);
  });
  return h("label", { class: className }, field, ...[label].flat());
}
