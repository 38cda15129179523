/** “我的参观”所用的简体中文。键与 en.js 相同。 */
export default {
  "visit.text": "此列表仅保存在本设备上，只有名称和时间，不含您的照片。",
  "visit.none": "您拍过的展品会列在这里。",
  "visit.camera": "拍摄展品",
  "visit.remove": "从列表中移除“{name}”",
  "visit.forget": "删除列表",
  "visit.forget.title": "要删除这次参观的列表吗？",
  "visit.forget.text": "删除后无法恢复。",
};
