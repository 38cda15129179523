/** 取景、拍摄建议和框选所用的简体中文，打开时才加载。键与 en.js 相同。 */
export default {
  "camera.picture": "相机画面",
  "camera.aim": "请将整件展品放入取景框。",
  "camera.take": "拍摄",
  "camera.refused": "本页面无法使用相机。您可以改用手机自带的相机。",
  "camera.system": "打开手机相机",

  "tips.whole": "从正面拍摄，让整件展品入镜，并尽量占满画面。",
  "tips.sharp": "拿稳手机，等画面清晰后再拍。",
  "tips.glass": "展柜玻璃反光时，向旁边移动一步；请关闭闪光灯。",
  "tips.several": "画面中有多件展品时，拍完后可以框选其中一件。",

  "crop.title": "您想识别哪一部分？",
  "crop.text": "点击它，或拖动画出一个框。",
  "crop.frame": "选框。用方向键移动，用加号和减号调整大小。",
  "crop.size": "宽 {width}%，高 {height}%",
  "crop.smaller": "缩小",
  "crop.larger": "放大",
  "crop.match": "识别这一部分",
};
