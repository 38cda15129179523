/** 二维码海报和展签的简体中文，打开时才加载。键与 en.js 相同。 */
export default {
  "collection.qr.alt": "{link} 的二维码",
  "poster.title": "二维码海报",
  "poster.label.title": "二维码展签",
  "poster.back": "返回展品",
  "poster.try": "张贴前请先在现场用手机扫码试一试。它打开的地址是",
  "poster.size": "纸张大小",
  "poster.print": "打印",
  "poster.pdf": "保存为 PDF",
  "poster.png": "将二维码保存为 PNG",
  "poster.svg": "将二维码保存为 SVG",
  "poster.text": "扫描二维码，拍下眼前的展品或景点，即可了解它。",
  "poster.text.foreign": "Scan the code, photograph what you see, and find out what it is.",
  "poster.label.text": "扫描二维码，在手机上查看介绍。",
  "poster.label.foreign": "Scan the code to read about it on your phone.",
  "collection.qr.local":
    "当前页面的地址（{host}）只有这台电脑能打开，手机扫码后无法访问。请用游客能访问的地址打开本页面，再生成二维码；或设置 GATEWAY_PUBLIC_URL。",
};
