/** English for hiding places. Keys are shared with zh.js. */
export default {
  "hide.hidden.one": "{count} place was hidden.",
  "hide.hidden.other": "{count} places were hidden.",
  "hide.shown.one": "{count} place is shown again.",
  "hide.shown.other": "{count} places are shown again.",
};
