/** English for the panel of the sample collection. Keys are shared with zh.js. */
export default {
  "sample.title": "This is a sample",
  "sample.explain":
    "It holds eight freely licensed photographs, one per place, and is here to be tried. Delete it whenever you like.",
  "sample.try": "Ask about one of these. They are the same photographs seen from another spot, in other light; the last is not in the collection.",
  "sample.ask": "Ask about: {name}",
  "sample.ask.stranger": "Ask about something that is not in the collection",
  "sample.remove": "Remove the sample",
  "sample.credits": "Photographers and terms",
  "sample.source": "Source:",
};
