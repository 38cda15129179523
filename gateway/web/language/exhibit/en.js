/** English for an exhibit's page. Keys are shared with zh.js. */
export default {
  exhibit: "Exhibit",
  "exhibit.gone": "This exhibit is no longer shown here",
  "exhibit.camera": "Photograph another exhibit",
};
