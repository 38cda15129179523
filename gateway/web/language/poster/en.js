/** English for the sheets with QR codes, fetched when one is opened. Keys are shared with zh.js. */
export default {
  "collection.qr.alt": "QR code of {link}",
  "poster.title": "Poster with QR code",
  "poster.label.title": "Label with QR code",
  "poster.back": "Back to the place",
  "poster.try": "Try the code with a phone first, from where visitors are. It opens",
  "poster.size": "Paper size",
  "poster.print": "Print",
  "poster.pdf": "Save as PDF",
  "poster.png": "Save the code as PNG",
  "poster.svg": "Save the code as SVG",
  "poster.text": "Scan the code, photograph what you see, and find out what it is.",
  "poster.text.foreign": "扫描二维码，拍下眼前的展品或景点，即可了解它。",
  "poster.label.text": "Scan the code to read about it on your phone.",
  "poster.label.foreign": "扫描二维码，在手机上查看介绍。",
  "collection.qr.local":
    "This page was opened at an address that only this computer can reach ({host}), so a code would lead phones nowhere. Open the page at the address that visitors use and make the code there, or set GATEWAY_PUBLIC_URL.",
};
