/** 展品页面的简体中文。键与 en.js 相同。 */
export default {
  exhibit: "展品",
  "exhibit.gone": "这件展品目前不在此展出",
  "exhibit.hidden": "只有工作人员能看到此页；游客看到的是“目前不在此展出”。",
  "exhibit.camera": "拍摄其他展品",
};
