/** 多语言文本的编辑界面。键与 en.js 相同。 */
export default {
  "texts.title": "其他语言",
  "texts.help": "游客看到的是其手机所用语言的文本；没有该语言时，显示上面的文本。",
  "texts.add": "添加语言",
  "texts.tag": "语言",
  "texts.tag.help": "例如 en、ja 或 zh-Hant",
  "texts.tag.invalid": "这不是语言标签，例如 en、ja 或 zh-Hant",
  "texts.machine": "机器翻译（会向游客注明）",
  "texts.remove": "移除{language}",
  "collection.language": "文本的语言",
  "collection.language.help": "展品说明所用的语言。填写后，系统可以判断哪些游客能读懂。",
};
