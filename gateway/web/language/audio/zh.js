/** 展品语音讲解的简体中文。键与 en.js 相同。 */
export default {
  "audio.title": "语音讲解 · {language}",
  "audio.transcript": "阅读文字稿",
};
