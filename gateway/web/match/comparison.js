/** Two photos side by side with their matched points, and the text of the place. */

import { openDialog } from "../page/dialogs.js";
import { h, svg } from "../page/dom.js";
import { plainFacts } from "../page/facts.js";
import { icon } from "../page/icons.js";
import { spoken, t } from "../page/language.js";
import { description } from "./about.js";
import { spread } from "./points.js";

// More lines would hide the photos.
const MAX_LINES = 32;
const MAX_DOTS = 140;

/** Open the comparison of `candidates[index]` with its query photo; arrow keys show the other candidates. */
export function openComparison(photos, candidates, index) {
  const dialog = h("dialog", { class: "comparison", "aria-label": t("comparison.title") });
  let watcher = null;
  let isDrawn = true;

  function show(next) {
    index = next;
    watcher?.disconnect();
    const candidate = candidates[index];
    const photo = photos[candidate.photo];
    const found = candidate.verdict?.correspondences;
    const query = picture(photo.isVisible ? photo.url : null, t("comparison.query"));
    const reference = picture(candidate.preview_url, candidate.place.name);
    const overlay = svg("svg", { class: "overlay", "aria-hidden": "true" });
    const pair = h("div", { class: "pair" }, query, reference, overlay);
    const redraw = () => drawCorrespondences(overlay, pair, isDrawn ? found : null);
    watcher = new ResizeObserver(redraw);
    watcher.observe(pair);
    for (const image of pair.querySelectorAll("img")) image.addEventListener("load", redraw);

    dialog.replaceChildren(header(), pair, footer(candidate, found, redraw));
  }

  const header = () =>
    h(
      "div",
      { class: "comparison-bar" },
      step(-1, "left", t("comparison.previous")),
      h("p", { class: "muted" }, t("comparison.position", { position: index + 1, count: candidates.length })),
      step(1, "right", t("comparison.next")),
      h("button", { class: "button plain", "aria-label": t("close"), onclick: () => dialog.close() }, icon("cross")),
    );

  const step = (by, name, label) =>
    h(
      "button",
      {
        class: `button plain step-${name}`,
        "aria-label": label,
        disabled: !(index + by in candidates),
        onclick: () => go(by, name),
      },
      icon(name),
    );

  function go(by, name) {
    if (!(index + by in candidates)) return;
    show(index + by);
    const same = dialog.querySelector(`.step-${name}:not([disabled])`);
    (same ?? dialog.querySelector("button:not([disabled])")).focus();
  }

  function footer(candidate, found, redraw) {
    const count = found?.query_points.length ?? 0;
    const toggle = (event) => {
      isDrawn = event.target.checked;
      redraw();
    };
    return h(
      "div",
      { class: "comparison-words", "aria-live": "polite" },
      h("h2", { class: "place-name" }, candidate.place.name),
      description(candidate.place),
      plainFacts(candidate.place.metadata),
      h("p", { class: "muted" }, candidate.verdict ? spoken(candidate.verdict) : ""),
      h(
        "p",
        { class: "muted" },
        t("comparison.similarity", { percent: Math.round(Math.max(0, candidate.similarity) * 100) }),
      ),
      count > 0 &&
        h(
          "label",
          { class: "check" },
          h("input", { type: "checkbox", checked: isDrawn, onchange: toggle }),
          t("comparison.show"),
        ),
    );
  }

  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") go(-1, "left");
    if (event.key === "ArrowRight") go(1, "right");
  });
  dialog.addEventListener("close", () => watcher?.disconnect());
  show(index);
  openDialog(dialog);
}

function picture(url, caption) {
  return h("figure", {}, url ? h("img", { src: url, alt: caption }) : null, h("figcaption", {}, caption));
}

/** Points as dots, the region that both photos show, and lines for a few distant points. */
function drawCorrespondences(overlay, pair, found) {
  overlay.replaceChildren();
  const [first, second] = pair.querySelectorAll("img");
  if (!found || !second) return;
  const origin = pair.getBoundingClientRect();
  overlay.setAttribute("viewBox", `0 0 ${origin.width} ${origin.height}`);
  const placed = (image, points) => {
    const box = image.getBoundingClientRect();
    return points.map(([x, y]) => [box.x - origin.x + x * box.width, box.y - origin.y + y * box.height]);
  };
  const from = placed(first, found.query_points);
  const to = placed(second, found.candidate_points);
  for (const corners of [placed(first, found.query_region), placed(second, found.candidate_region)]) {
    overlay.append(svg("polygon", { class: "region", points: corners.map((point) => point.join()).join(" ") }));
  }
  const shown = spread(from, MAX_DOTS); // any beginning of it is distant points too, and used for the lines
  for (const point of shown.slice(0, MAX_LINES)) {
    const [[x1, y1], [x2, y2]] = [from[point], to[point]];
    overlay.append(svg("line", { class: "casing", x1, y1, x2, y2 }), svg("line", { x1, y1, x2, y2 }));
  }
  const dots = shown.flatMap((point) => [from[point], to[point]]);
  overlay.append(...dots.map(([cx, cy]) => svg("circle", { cx, cy, r: 2.4 })));
}
