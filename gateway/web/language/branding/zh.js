/** 博物馆名称、颜色和说明所用的简体中文。键与 en.js 相同。 */
export default {
  "branding.about": "这些内容显示在游客页面上，代替本产品的名称和颜色。",
  "branding.title": "博物馆名称",
  "branding.logo": "标志",
  "branding.logo.choose": "选择图片",
  "branding.logo.remove": "移除标志",
  "branding.colour": "颜色",
  "branding.colour.own": "使用自己的颜色",
  "branding.colour.help": "如果不够清晰，会自动调深或调浅。",
  "branding.privacy_note": "隐私说明",
  "branding.privacy_url": "隐私政策的网址",
  "branding.footer": "页脚文字，例如 ICP 备案号",
  "branding.footer_url": "页脚文字的链接",
  "branding.see": "以游客身份查看",
};
