/** Offers to build the sample collection with one click. */

import { json } from "../page/api.js";
import { errorNotice, technicalDetails } from "../page/dialogs.js";
import { announce, h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { currentLanguage, t } from "../page/language.js";
import { address } from "../page/router.js";
import { query, sample } from "./api.js";

const POLL_MS = 700;

const buildSample = (language) => json("sample" + query({ language }), { method: "POST" });

/** A button that builds and opens the sample; nothing if it exists or its photographs are not installed. */
export function sampleOffer() {
  const root = h("div", { class: "sample-offer" });
  let isLeft = false;

  async function follow(state) {
    if (isLeft) return;
    if (state.state === "building") {
      root.replaceChildren(
        h("p", { role: "status" }, t("sample.building", { done: state.done, total: state.total })),
        h("progress", { max: state.total, value: state.done, "aria-label": t("sample.load") }),
      );
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      return attempt(() => sample(currentLanguage()));
    }
    if (state.state === "ready") {
      announce(t("sample.ready"));
      location.hash = address("collections", state.collection);
      return;
    }
    const reason = technicalDetails([h("p", { lang: "en" }, state.reason)]);
    root.replaceChildren(h("div", { class: "problem", role: "alert" }, t("sample.failed"), reason), button());
  }

  const attempt = (ask) =>
    ask().then(follow, (error) => root.replaceChildren(errorNotice(error, { retry: build })));
  const build = () => attempt(() => buildSample(currentLanguage()));
  const button = () => h("button", { class: "button", onclick: build }, icon("photo"), t("sample.load"));

  function refresh() {
    if (root.querySelector("progress")) return; // its progress is shown already
    sample(currentLanguage()).then(
      (state) => {
        if (state.state === "building") return follow(state);
        const isOffered = ["absent", "failed"].includes(state.state);
        root.replaceChildren(...(isOffered ? [button(), h("p", { class: "muted" }, t("sample.about"))] : []));
      },
      () => {}, // only the offer is missing; other requests report the error
    );
  }

  return { element: root, refresh, dispose: () => (isLeft = true) };
}
