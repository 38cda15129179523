/** 状态页上密钥管理的简体中文，仅管理员可见。键与 en.js 相同。 */
export default {
  "keys.name": "给谁使用？",
  "keys.name.help": "可用字母、数字和 . _ -",
  "keys.role": "权限",
  "keys.create": "创建密钥",
  "keys.revoke": "吊销",
  "keys.revoke.label": "吊销密钥 {name}",
  "keys.revoke.title": "吊销密钥“{name}”？",
  "keys.revoke.text": "使用它的人将立即无法访问。此操作无法撤销，但可以另建密钥。",
  "keys.revoked": "已吊销密钥 {name}。",
  "keys.made.title": "{name} 的密钥",
  "keys.made.text": "请立即复制并妥善转交：服务器不保存密钥，之后无法再次显示。",
  "keys.copy": "复制",
  "keys.copied": "已复制。",
  "keys.copy.yourself": "已选中，请用键盘复制。",
};
