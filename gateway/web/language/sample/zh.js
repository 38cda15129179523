/** 示例图库面板所用的简体中文。键与 en.js 相同。 */
export default {
  "sample.title": "这是示例",
  "sample.explain": "其中有八张采用自由许可的照片，每件一张，仅供试用，可随时删除。",
  "sample.try": "选一张来识别。它们由同样的照片变换角度和光线而来；最后一张不在图库中。",
  "sample.ask": "识别：{name}",
  "sample.ask.stranger": "识别一件图库中没有的事物",
  "sample.remove": "移除示例",
  "sample.credits": "摄影者与许可",
  "sample.source": "来源：",
};
