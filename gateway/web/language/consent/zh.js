/** 询问能否保留照片的简体中文，询问时才加载。键与 en.js 相同。 */
export default {
  "consent.title": "可以让馆方保留这张照片吗？",
  "consent.text.other":
    "工作人员会查看照片以改进识别，也可能将它收入图库，否则最多保留 {count} 天。照片中的拍摄时间和地点会先被去除。请勿发送有人物的照片。",
  "consent.send": "同意并发送照片",
  "consent.thanks": "谢谢，照片已发送。",
  "consent.withdraw": "撤回并删除",
  "consent.withdrawn": "照片已删除。",
  "consent.gone": "这张照片已过保留期，或馆方已作出处理，无法在此删除。如有需要请联系馆方。",
};
