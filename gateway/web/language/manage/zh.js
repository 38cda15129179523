/** 重命名和删除图库的对话框所用的简体中文。键与 en.js 相同。 */
export default {
  "collection.rename.title": "名称和语言",
  "collection.rename.text": "照片、校准和最近的识别记录会一并保留。按旧名称打印的二维码和链接仍然有效。",
  "collection.rename.taken": "已有名为“{name}”的图库，请换一个名称。",
  "collection.rename.busy": "仍有照片正在添加到此图库，请在完成后再重命名。",
  "collection.delete.title": "删除图库“{name}”？",
  "collection.delete.text": "游客将立即查不到其中的任何内容。之后仍可在回收站中恢复。",
};
