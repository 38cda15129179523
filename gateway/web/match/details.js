/** How an answer was found: reasons, threshold, models and times. */

import { facts, stageName } from "../page/facts.js";
import { milliseconds, spoken, t } from "../page/language.js";

export function detailsOf(reply) {
  return facts([
    [t("answer.reason"), spoken(reply) || reply.reason],
    ...(reply.decision ? [[t("answer.calibration"), thresholdWords(reply.decision)]] : []),
    [t("answer.collection"), reply.collection],
    [t("answer.encoder"), reply.models.encoder],
    [t("answer.verifier"), reply.models.verifier ?? t("answer.verifier.none")],
    ...Object.entries(reply.timings_ms).map(([stage, ms]) => [stageName(stage), milliseconds(ms)]),
    [t("answer.request"), reply.request_id],
  ]);
}

function thresholdWords({ calibration, target }) {
  if (target) return t("answer.calibration.valid", { percent: Number((target * 100).toPrecision(2)) });
  return t(`answer.calibration.${calibration === "valid" ? "estimate" : calibration}`);
}
