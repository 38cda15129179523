// Without this script the page is in English.
const button = document.getElementById("language");
const speak = (tag) => {
  document.documentElement.lang = tag;
  button.textContent = tag === "en" ? "中文" : "English";
  button.lang = tag === "en" ? "zh-CN" : "en";
};
speak(navigator.language.startsWith("zh") ? "zh-CN" : "en");
button.hidden = false;
button.addEventListener("click", () => speak(document.documentElement.lang === "en" ? "zh-CN" : "en"));
