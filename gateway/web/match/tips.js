/** What makes a photo that is recognised. */

import { openDialog } from "../page/dialogs.js";
import { h } from "../page/dom.js";
import { t } from "../page/language.js";

const TIPS = ["tips.whole", "tips.sharp", "tips.glass", "tips.several"];

export function openTips() {
  const dialog = h(
    "dialog",
    { class: "question", "aria-labelledby": "tips-title" },
    h("h2", { id: "tips-title" }, t("match.tips")),
    h("ul", { class: "tips" }, TIPS.map((tip) => h("li", {}, t(tip)))),
    h("div", { class: "row end" }, h("button", { class: "button", onclick: () => dialog.close() }, t("close"))),
  );
  openDialog(dialog);
}
