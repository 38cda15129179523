/** English for an exhibit's page. Keys are shared with zh.js. */
export default {
  exhibit: "Exhibit",
  "exhibit.gone": "This exhibit is not on show here at present",
  "exhibit.hidden": "Only staff see this page. Visitors read that the exhibit is not on show.",
  "exhibit.camera": "Photograph another exhibit",
};
