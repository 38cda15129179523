/** A sheet as a PDF of one page: its picture at 300 dpi, drawn as the page shows it. */

import { isCanvasTrue } from "../match/photo.js";
import { h } from "../page/dom.js";

const PAPERS_MM = { a4: [210, 297], a5: [148, 210], a6: [105, 148] }; // ISO 216
const DPI = 300;
const QUALITY = 0.92;

/**
 * Save `sheet`, an element on the screen, as `filename`. Where the canvas cannot be trusted, or memory is short, the
 * dialog for printing opens, which can save a PDF too.
 * @param {string} code the QR code as segno draws it: an SVG whose modules are strokes of width 1
 */
export async function savePdf(sheet, code, filename) {
  const paper = PAPERS_MM[sheet.classList[1]].map((mm) => mm / 25.4); // in inches
  const [width, height] = paper.map((inches) => Math.round(inches * DPI));
  const canvas = h("canvas", { width, height });
  draw(canvas, sheet, code);
  const picture = isCanvasTrue() && (await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY)));
  if (!picture) return print();
  const href = URL.createObjectURL(pdfOf(picture, canvas, paper));
  h("a", { href, download: filename }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000); // the browser may still be reading it
}

function draw(canvas, sheet, code) {
  const context = canvas.getContext("2d");
  const frame = sheet.getBoundingClientRect();
  const scale = canvas.width / sheet.clientWidth;
  const across = (x) => (x - frame.left - sheet.clientLeft) * scale;
  const down = (y) => (y - frame.top - sheet.clientTop) * scale;

  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = "#000";
  for (const { text, style, left, top, bottom } of linesOf(sheet)) {
    context.font = `${style.fontWeight} ${parseFloat(style.fontSize) * scale}px ${style.fontFamily}`;
    const { fontBoundingBoxAscent: ascent, fontBoundingBoxDescent: descent } = context.measureText(text);
    context.fillText(text, across(left), (down(top) + down(bottom) + ascent - descent) / 2);
  }

  const box = sheet.querySelector("img").getBoundingClientRect();
  const drawing = new DOMParser().parseFromString(code, "image/svg+xml");
  const modules = drawing.documentElement.getAttribute("viewBox").split(" ")[2];
  const side = Math.round((box.width * scale) / modules); // whole pixels, so that modules have sharp edges
  const margin = (box.width * scale - side * modules) / 2;
  context.translate(Math.round(across(box.left) + margin), Math.round(down(box.top) + margin));
  context.scale(side, side);
  context.stroke(new Path2D(drawing.querySelector("[stroke]").getAttribute("d")));
}

/** The lines of text of an element, where the page has broken them. */
function linesOf(element) {
  const lines = [];
  const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode;
    const style = getComputedStyle(node.parentElement);
    const range = document.createRange();
    let line = null;
    let at = 0;
    for (const character of node.data) {
      range.setStart(node, at);
      range.setEnd(node, (at += character.length));
      const { left, top, bottom } = range.getBoundingClientRect();
      if (top === bottom) continue; // a blank that is not shown
      if (!line || top > (line.top + line.bottom) / 2) lines.push((line = { text: "", style, left, top, bottom }));
      line.text += character;
      line.left = Math.min(line.left, left); // of text from right to left, the last
    }
  }
  return lines;
}

/** A PDF whose only page shows a JPEG. */
function pdfOf(picture, { width, height }, paper) {
  const [right, top] = paper.map((inches) => (inches * 72).toFixed(2));
  const image = `/Type/XObject/Subtype/Image/Width ${width}/Height ${height}/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/DCTDecode`;
  const objects = [
    ["<</Type/Catalog/Pages 2 0 R>>"],
    ["<</Type/Pages/Kids[3 0 R]/Count 1>>"],
    [`<</Type/Page/Parent 2 0 R/MediaBox[0 0 ${right} ${top}]/Resources<</XObject<</Sheet 4 0 R>>>>/Contents 5 0 R>>`],
    stream(image, picture),
    stream("", new Blob([`${right} 0 0 ${top} 0 0 cm /Sheet Do`])),
  ];
  const parts = ["%PDF-1.4\n"];
  const written = () => new Blob(parts).size;
  const places = objects.map((object, index) => {
    const place = String(written()).padStart(10, "0");
    parts.push(`${index + 1} 0 obj\n`, ...object, "\nendobj\n");
    return `${place} 00000 n \n`;
  });
  const table = written();
  parts.push(`xref\n0 ${objects.length + 1}\n0000000000 65535 f \n`, ...places);
  parts.push(`trailer\n<</Size ${objects.length + 1}/Root 1 0 R>>\nstartxref\n${table}\n%%EOF\n`);
  return new Blob(parts, { type: "application/pdf" });
}

const stream = (dictionary, data) => [`<<${dictionary}/Length ${data.size}>>\nstream\n`, data, "\nendstream"];
