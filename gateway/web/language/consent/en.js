/** English for the question whether a photo may be kept, fetched when it is asked. Keys are shared with zh.js. */
export default {
  "consent.title": "May the museum keep this photo?",
  "consent.text.one":
    "The staff look at it to improve the answers, and may add it to the collection. Otherwise it is deleted within {count} day. Where and when you took it is removed. Please send no photo that shows people.",
  "consent.text.other":
    "The staff look at it to improve the answers, and may add it to the collection. Otherwise it is deleted within {count} days. Where and when you took it is removed. Please send no photo that shows people.",
  "consent.send": "Yes, send the photo",
  "consent.thanks": "Thank you. The photo has been sent.",
  "consent.withdraw": "Delete it again",
  "consent.withdrawn": "The photo has been deleted.",
  "consent.gone": "The photo is no longer there to be deleted: its time is over, or the museum has decided about it. Ask the museum.",
};
