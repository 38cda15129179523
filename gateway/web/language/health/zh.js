/** 图库体检的简体中文，打开时才加载。键与 en.js 相同。 */
export default {
  "health.computing": "正在检查照片…",
  "health.stale": "图库已有变化，正在重新检查…",
  "health.well": "未发现问题。",
  "health.advice": "下一步建议",
  "health.one_view.other": "有 {count} 件展品只有一张照片：绘画等平面作品一张就够；立体展品请从左侧、右侧和上方各补拍一张。",
  "health.pairs": "外观相近的展品",
  "health.faulty": "需要重拍的照片",
  "health.more.other": "另有 {count} 项",
  "health.same_picture": "同一张照片归在两件展品下",
  "health.confused": "仔细比对也会混淆",
  "health.look_alike": "外观相近",
  "health.dark": "过暗",
  "health.overexposed": "曝光过度",
  "health.flat": "几乎没有内容",
  "health.blurred": "模糊",
  "health.small": "尺寸过小",
};
