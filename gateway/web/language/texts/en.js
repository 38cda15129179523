/** English for texts in further languages. Keys are shared with zh.js. */
export default {
  "texts.title": "Other languages",
  "texts.help": "Visitors read the text in the language of their phone, and otherwise the one above.",
  "texts.add": "Add a language",
  "texts.tag": "Language",
  "texts.tag.help": "For example en, ja or zh-Hant",
  "texts.tag.invalid": "This is not a language tag. For example: en, ja or zh-Hant",
  "texts.machine": "Machine translation (visitors are told)",
  "texts.remove": "Remove {language}",
  "collection.language": "Language of the texts",
  "collection.language.help": "In which the exhibits are described. With it, the page knows which visitors can read that.",
};
