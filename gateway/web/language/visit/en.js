/** English for the list of a visit. Keys are shared with zh.js. */
export default {
  "visit.text": "Only this device stores the list. It holds names and times, not your photos.",
  "visit.none": "Exhibits that you photograph are listed here.",
  "visit.camera": "Photograph an exhibit",
  "visit.remove": "Remove “{name}” from the list",
  "visit.forget": "Delete the list",
  "visit.forget.title": "Delete the list of this visit?",
  "visit.forget.text": "It cannot be restored.",
};
