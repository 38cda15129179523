/** English for the recording of an exhibit. Keys are shared with zh.js. */
export default {
  "audio.title": "Audio · {language}",
  "audio.transcript": "Read the transcript",
};
