/** Calibration: choose how often an answer may be wrong, see the effect, and measure with the collection's photos. */

import { announce, h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { duration, inARow, percent, t, when } from "../page/language.js";
import { errorNotice, technicalDetails } from "../page/dialogs.js";
import { changeJson, collectionPath, json } from "../page/api.js";
import { pause } from "./section.js";

const POLL_MS = 1500;
const FIRST_TARGET = 0.02;

const calibrationPath = (collection) => collectionPath(collection, "/calibration");

/** CalibrationReply */
const calibration = (collection) => json(calibrationPath(collection));
const startCalibration = (collection, target) => changeJson("POST", calibrationPath(collection), { target });
const changeTarget = (collection, target) => changeJson("PATCH", calibrationPath(collection), { target });
/** Cancels the running calibration; if there is none, deletes the stored one. */
const dropCalibration = (collection) => json(calibrationPath(collection), { method: "DELETE" });

export function calibrationContent(collection, section) {
  const problem = h("div", {});

  async function load(signal) {
    const reply = await calibration(collection);
    const isRunning = reply.job?.state === "running";
    if (isRunning) pause(POLL_MS, signal).then(() => !signal.aborted && section.element.open && section.reload());
    const before = document.activeElement?.dataset?.part;
    requestAnimationFrame(() => before && section.element.querySelector(`[data-part=${before}]`)?.focus());
    return [
      h("p", {}, t("calibration.about")),
      reply.calibration && slider(reply.calibration),
      reply.state === "stale" && h("p", { class: "notice" }, t("calibration.stale")),
      reply.state === "none" && !isRunning && h("p", {}, t("calibration.none")),
      problem,
      isRunning ? progress(reply.job) : controls(reply),
    ].filter(Boolean);
  }

  const attempt = async (action) => {
    problem.replaceChildren();
    try {
      await action();
      await section.reload();
    } catch (error) {
      problem.replaceChildren(errorNotice(error));
    }
  };

  function slider({ curve, target, promised, needed_unknown: needed, made_at: madeAt, known_by_origin: known, ...maybe }) {
    const nearest = (wanted) =>
      curve.reduce((best, point, at) => (Math.abs(point.target - wanted) < Math.abs(curve[best].target - wanted) ? at : best), 0);
    const words = h("p", { class: "promise" });
    const basis = h("p", { class: "muted" });
    const input = h("input", {
      type: "range",
      min: 0,
      max: curve.length - 1,
      step: 1,
      value: nearest(target),
      "data-part": "slider",
      oninput: tell,
      onchange: () => attempt(() => changeTarget(collection, curve[input.value].target)),
    });

    function tell() {
      const { target: chosen, answered, promised: isPromised } = curve[input.value];
      const share = answered.share ?? 0;
      words.textContent = t("calibration.share", { target: percent(chosen), answered: percent(share) });
      input.setAttribute("aria-valuetext", words.textContent);
      basis.textContent = inARow(
        t("calibration.range", { low: percent(answered.low), high: percent(answered.high), count: answered.count }),
        known.simulated && t("calibration.simulated"),
        t(isPromised ? "calibration.promised" : "calibration.estimate", { needed }),
      );
    }

    tell();
    return h(
      "div",
      { class: "slider" },
      h("label", { class: "field" }, h("span", {}, t("calibration.question")), input),
      h("div", { class: "ends muted", "aria-hidden": "true" }, h("span", {}, t("calibration.rarely")), h("span", {}, t("calibration.often"))),
      words,
      basis,
      maybe.questions[0].maybe_threshold !== null &&
        h("p", { class: "muted" }, t("calibration.maybe", { target: percent(maybe.maybe_target) })),
      h("p", { class: "muted" }, t("calibration.made", { when: when(madeAt), promised: String(promised) })),
    );
  }

  function progress({ done, total, seconds_left: left, waiting_for: waiting }) {
    return h(
      "div",
      { class: "slider" },
      h("progress", { max: total || 1, value: total ? done : null, "aria-label": t("calibration.running") }),
      h(
        "p",
        { class: "muted", role: "status" },
        inARow(
          t("calibration.progress", { done, total }),
          left !== null && t("calibration.left", { time: duration(left) }),
          waiting && t("calibration.waiting"),
        ),
      ),
      h(
        "button",
        { class: "button", "data-part": "main", onclick: () => attempt(() => dropCalibration(collection)) },
        icon("cross"),
        t("calibration.cancel"),
      ),
    );
  }

  function controls({ calibration: known, job }) {
    const start = () =>
      attempt(async () => {
        await startCalibration(collection, known?.target ?? FIRST_TARGET);
        announce(t("calibration.running"));
      });
    return h(
      "div",
      { class: "slider" },
      job?.state === "failed" && h("p", { class: "problem", role: "alert" }, t("calibration.failed"), technicalDetails([h("p", { lang: "en" }, job.error)])),
      h(
        "div",
        { class: "row" },
        h(
          "button",
          { class: `button ${known ? "" : "primary"}`, "data-part": "main", onclick: start },
          icon("refresh"),
          t(known ? "calibration.again" : "calibration.start"),
        ),
        known &&
          h("button", { class: "button", onclick: () => attempt(() => dropCalibration(collection)) }, t("calibration.forget")),
      ),
    );
  }

  return load;
}
