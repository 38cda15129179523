/** Matches a part of a photo that shows several things: tap the part, or draw a frame around it. */

import { errorNotice, openDialog } from "../page/dialogs.js";
import { announce, h } from "../page/dom.js";
import { t } from "../page/language.js";
import { reduced } from "./photo.js";

// Shares of the photo's sides.
const STEP = 0.03;
const LEAST = 0.06;
const TAP = 0.03; // a shorter movement is a tap
const GROWTH = 1.25;
const ARROWS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

const within = (value, most) => Math.min(Math.max(value, 0), most);

/**
 * @param {{blob: Blob, original?: Blob}} photo
 * @param {(part: Blob) => void} onfile
 */
export function openCrop({ blob, original }, onfile) {
  const source = h("img", { alt: t("match.photo"), draggable: "false", src: URL.createObjectURL(original ?? blob) });
  const frame = h("div", { class: "crop-frame", role: "application", tabindex: "0", "aria-label": t("crop.frame"), onkeydown });
  const stage = h("div", { class: "crop-stage", onpointerdown, onpointermove, onpointerup, onpointercancel }, source, frame);
  const problem = h("div", {});
  const button = (words, onclick) => h("button", { class: "button", onclick }, t(words));
  const dialog = h(
    "dialog",
    { class: "crop", "aria-labelledby": "crop-title" },
    h(
      "div",
      { class: "crop-content" },
      h("h2", { id: "crop-title" }, t("crop.title")),
      h("p", {}, t("crop.text")),
      stage,
      problem,
      h(
        "div",
        { class: "row" },
        button("crop.smaller", () => resize(1 / GROWTH)),
        button("crop.larger", () => resize(GROWTH)),
        h("button", { class: "button primary", onclick: matchPart }, t("crop.match")),
        button("cancel", () => dialog.close()),
      ),
    ),
  );
  let part = { x: 0.25, y: 0.25, width: 0.5, height: 0.5 };
  let start = null; // where the pointer was pressed

  function put({ x, y, width, height }) {
    width = Math.min(Math.max(width, LEAST), 1);
    height = Math.min(Math.max(height, LEAST), 1);
    part = { x: within(x, 1 - width), y: within(y, 1 - height), width, height };
    const sides = { left: part.x, top: part.y, width, height };
    for (const [side, share] of Object.entries(sides)) frame.style[side] = `${share * 100}%`;
  }

  const around = (x, y, width, height) => put({ x: x - width / 2, y: y - height / 2, width, height });

  function resize(factor) {
    const { x, y, width, height } = part;
    around(x + width / 2, y + height / 2, width * factor, height * factor);
    announce(t("crop.size", { width: Math.round(part.width * 100), height: Math.round(part.height * 100) }));
  }

  function position({ clientX, clientY }) {
    const box = source.getBoundingClientRect();
    return [within((clientX - box.x) / box.width, 1), within((clientY - box.y) / box.height, 1)];
  }

  function onpointerdown(event) {
    start = position(event);
    stage.setPointerCapture(event.pointerId);
  }

  function onpointermove(event) {
    if (!start) return;
    const [x, y] = position(event);
    const [width, height] = [Math.abs(x - start[0]), Math.abs(y - start[1])];
    if (Math.max(width, height) >= TAP) put({ x: Math.min(x, start[0]), y: Math.min(y, start[1]), width, height });
  }

  function onpointerup(event) {
    const [x, y] = position(event);
    if (start && Math.max(Math.abs(x - start[0]), Math.abs(y - start[1])) < TAP) around(x, y, part.width, part.height);
    start = null;
  }

  function onpointercancel() {
    start = null;
  }

  function onkeydown(event) {
    const [right, down] = ARROWS[event.key] ?? [0, 0];
    if (right || down) put({ ...part, x: part.x + right, y: part.y + down });
    else if (event.key === "+") resize(GROWTH);
    else if (event.key === "-") resize(1 / GROWTH);
    else return;
    event.preventDefault();
  }

  async function matchPart() {
    const cut = await source.decode().then(() => reduced(source, part), () => null);
    if (!cut) return problem.replaceChildren(errorNotice({ code: "internal" }));
    dialog.close();
    onfile(cut);
  }

  put(part);
  dialog.addEventListener("close", () => URL.revokeObjectURL(source.src));
  openDialog(dialog);
  frame.focus();
}
