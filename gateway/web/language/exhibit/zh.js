/** 展品页面的简体中文。键与 en.js 相同。 */
export default {
  exhibit: "展品",
  "exhibit.gone": "这件展品已不在此展示",
  "exhibit.camera": "拍摄其他展品",
};
