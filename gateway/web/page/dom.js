/** Building and announcing: every node is made here, and data only ever becomes text. */

const SVG = "http://www.w3.org/2000/svg";

function apply(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element. `onclick` and its like become listeners; strings among the children become text nodes. */
export function h(tag, attributes = {}, ...children) {
  return apply(document.createElement(tag), attributes, children);
}

/** The same for SVG, whose elements live in a namespace of their own. */
export function svg(tag, attributes = {}, ...children) {
  return apply(document.createElementNS(SVG, tag), attributes, children);
}

/** Say something to screen readers without moving the focus. */
export function announce(text) {
  const live = document.getElementById("live");
  // Two equal sentences in a row are two events: an unchanged text would stay silent.
  live.textContent = "";
  requestAnimationFrame(() => (live.textContent = text));
}

/** Move the keyboard to a heading that just appeared. */
export function focusHeading(root) {
  const heading = root.querySelector("h1, h2, h3");
  if (!heading) return;
  heading.setAttribute("tabindex", "-1");
  heading.focus({ preventScroll: true });
}

/** Replace what is in `parent`; a keyboard that stood in there is led to its new heading instead of nowhere. */
export function refill(parent, ...children) {
  const hadFocus = parent.contains(document.activeElement);
  parent.replaceChildren(...children);
  if (hadFocus) focusHeading(parent);
}

/** Have a style sheet of our own loaded. */
export function styled(href) {
  if (document.querySelector(`link[href="${href}"]`)) return null;
  const sheet = h("link", { rel: "stylesheet", href });
  const loaded = new Promise((resolve) => {
    sheet.onload = resolve;
    sheet.onerror = () => resolve(sheet.remove()); // without it the view is plain, and there all the same
  });
  document.head.append(sheet);
  return loaded;
}

/** The picture files that the page takes, for an input's `accept`; their names, where a browser knows no type. */
export const PICTURES = "image/*,.heic,.heif,.hif,.avif,.jfif,.jpe";
export const PICTURE_NAME = /\.(jpe?g?|jfif|png|webp|avif|hei[cf]|hif)$/i;

/** A button-looking label around a file input: one control for mouse, keyboard and screen reader alike. */
export function fileButton({ label, className = "button", onfiles, ...input }) {
  const field = h("input", { type: "file", class: "visually-hidden", ...input });
  field.addEventListener("change", () => {
    const files = [...field.files];
    field.value = ""; // choosing the same file again must fire again
    if (files.length) onfiles(files);
  });
  return h("label", { class: className }, field, ...[label].flat());
}
