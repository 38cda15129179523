/** What visitors see of the museum: name, logo, colour, privacy note and footer of a collection. */

import { preparePhoto } from "../match/photo.js";
import { branding, changeJson, collectionPath } from "../page/api.js";
import { errorNotice } from "../page/dialogs.js";
import { announce, fileButton, h, PICTURES } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { t } from "../page/language.js";

const PLAIN_COLOUR = "#0b625a"; // the page's own, see style/base.css

export function brandingContent(collection) {
  let content = null; // unsaved edits survive folding
  return async () => (content ??= [brandingForm(collection, await branding(collection))]);
}

function brandingForm(collection, before) {
  const inputs = {
    title: h("input", { maxlength: 100, autocomplete: "off" }),
    privacy_note: h("textarea", { rows: 3, maxlength: 4000 }),
    privacy_url: h("input", { type: "url", maxlength: 500, placeholder: "https://" }),
    footer: h("input", { maxlength: 200, autocomplete: "off" }),
    footer_url: h("input", { type: "url", maxlength: 500, placeholder: "https://" }),
  };
  for (const [name, input] of Object.entries(inputs)) input.value = before[name];
  const colour = h("input", { type: "color", value: before.colour || PLAIN_COLOUR, "aria-label": t("branding.colour") });
  const hasColour = h("input", { type: "checkbox", checked: before.colour !== "", onchange: showColour });
  const logo = h("div", { class: "row" });
  const result = h("div", {});
  let newLogo = null; // base64, "" to remove the present one; null: no change

  function showColour() {
    colour.hidden = !hasColour.checked;
  }

  const logoAddress = () => before.logo && `${collectionPath(collection, "/logo")}?v=${before.logo}`;

  function showLogo(src) {
    logo.replaceChildren(
      ...(src ? [h("img", { class: "logo", src, alt: t("branding.logo") })] : []),
      fileButton({ label: [icon("photo"), t("branding.logo.choose")], accept: PICTURES, onfiles: ([file]) => take(file) }),
      ...(src ? [h("button", { class: "button", type: "button", onclick: removeLogo }, t("branding.logo.remove"))] : []),
    );
  }

  async function take(file) {
    const { blob, url } = await preparePhoto(file);
    const bytes = new Uint8Array(await blob.arrayBuffer());
    newLogo = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    showLogo(url);
  }

  function removeLogo() {
    newLogo = "";
    showLogo(null);
  }

  /** The fields that differ from those that were read or saved last. */
  function edited() {
    const values = Object.entries(inputs).map(([name, input]) => [name, input.value.trim()]);
    values.push(["colour", hasColour.checked ? colour.value : ""]);
    const change = Object.fromEntries(values.filter(([name, value]) => value !== before[name]));
    return newLogo === null ? change : { ...change, logo: newLogo };
  }

  async function save(event) {
    event.preventDefault();
    try {
      before = await changeJson("PATCH", collectionPath(collection, "/branding"), edited());
      newLogo = null;
      showLogo(logoAddress());
      result.replaceChildren(h("p", { class: "muted" }, t("place.saved")));
      announce(t("place.saved"));
    } catch (error) {
      result.replaceChildren(errorNotice(error));
    }
  }

  showColour();
  showLogo(logoAddress());
  const field = (name) =>
    h("label", { class: "field" }, h("span", {}, t(`branding.${name}`)), inputs[name]);
  return h(
    "form",
    { class: "folded-body", onsubmit: save },
    h("p", {}, t("branding.about")),
    field("title"),
    h("div", { class: "field" }, h("span", {}, t("branding.logo")), logo),
    h("div", { class: "row" }, h("label", { class: "check" }, hasColour, t("branding.colour.own")), colour),
    h("p", { class: "muted" }, t("branding.colour.help")),
    field("privacy_note"),
    field("privacy_url"),
    field("footer"),
    field("footer_url"),
    h(
      "div",
      { class: "row" },
      h("button", { class: "button primary" }, t("place.save")),
      h("a", { class: "button", href: `?${new URLSearchParams({ visitor: "", collection })}`, target: "_blank" }, t("branding.see")),
    ),
    result,
  );
}
