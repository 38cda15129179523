/** 隐藏展品所用的简体中文。键与 en.js 相同。 */
export default {
  "hide.hidden.other": "已隐藏 {count} 件展品。",
  "hide.shown.other": "已恢复展示 {count} 件展品。",
};
