"""The report's sentences in English and Chinese; the page has both, and its style shows one language."""

from collections.abc import Mapping

from markupsafe import Markup, escape

LANGUAGES = ("en", "zh-CN")

_WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Matching report", "识别评估报告"),
    "queries": ("{count} photos asked", "共测试 {count} 张照片"),
    "summary": ("Summary", "汇总"),
    "right": ("right", "正确"),
    "wrong place": ("wrong place", "认错展品"),
    "missed": ("missed", "漏认"),
    "false accept": ("false accept", "误认"),
    "rightly refused": ("rightly refused", "正确拒绝"),
    "unlabelled": ("unlabelled", "未标注"),
    "unreadable": ("unreadable", "无法读取"),
    "right.long": ("of photos of known places got the right answer", "的已收录展品照片得到正确答案"),
    "wrong place.long": ("of them got another place", "被认成其他展品"),
    "missed.long": ("of them got no answer", "没有得到答案"),
    "false accept.long": ("of photos of nothing in the collection got an answer", "的未收录照片得到了答案"),
    "recall.long": ("of known places were among the candidates", "的已收录展品进入候选"),
    "time.long": ("median time for one photo", "单张照片耗时中位数"),
    "of": ("{part} of {whole}", "{whole} 中的 {part}"),
    "nothing": ("nothing to count", "没有可统计的照片"),
    "wrong.title": ("Wrong answers", "错误回答"),
    "wrong.none": (
        "None: every labelled photo was answered or refused correctly.",
        "没有：所有已标注照片都答对或被正确拒绝。",
    ),
    "wrong.more": ("{count} more without pictures:", "另有 {count} 个未附图片："),
    "sample.title": ("Right answers: a sample", "正确回答（抽样）"),
    "all.title": ("Right answers", "正确答案"),
    "unlabelled.title": ("Photos without a label", "未标注的照片"),
    "it_shows": ("It shows", "实际是"),
    "not_in_collection": ("nothing in the collection", "未收录的内容"),
    "unknown_truth": ("not said", "未说明"),
    "answer": ("Answer", "答案"),
    "no_answer": ("not in the collection", "不在图库中"),
    "no_answer_nearest": ("not in the collection; nearest: {place}", "不在图库中；最接近：{place}"),
    "query": ("Query", "游客照片"),
    "candidate": ("First candidate", "首位候选"),
    "truth_photo": ("What it shows, in the gallery", "图库中的正确照片"),
    "candidates": ("Candidates", "候选"),
    "place": ("Place", "展品"),
    "similarity": ("Similarity", "相似度"),
    "retrieved_as": ("Retrieved as", "检索名次"),
    "confidence": ("Confidence", "置信度"),
    "points": ("Points", "吻合点"),
    "accepted": ("Accepted", "通过"),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "figures": ("Figures", "图表"),
    "recall.title": ("Recall@k of retrieval", "检索召回率 Recall@k"),
    "recall.note": (
        "How often the right place is among the first k candidates. Verification cannot find the others.",
        "正确展品出现在前 k 个候选中的比例。不在候选中的展品，验证也无法找回。",
    ),
    "k": ("k", "k"),
    "recall": ("recall", "召回率"),
    "pr.title": ("Precision and recall", "精确率与召回率"),
    "pr.note": (
        "Each point is a threshold. Recall: right answers among photos of known places. Precision: right answers among "
        "all answers given. The ring is this run.",
        "每个点对应一个阈值。召回率：已收录照片中答对的比例；精确率：所有给出的答案中正确的比例。圆环为本次运行。",
    ),
    "precision": ("precision", "精确率"),
    "threshold.title": ("Answers against the threshold", "答案随阈值的变化"),
    "threshold.note": (
        "What a higher or lower accept threshold would change on these photos.",
        "在这些照片上提高或降低接受阈值会带来的变化。",
    ),
    "threshold": ("threshold", "阈值"),
    "share": ("share", "比例"),
    "legend.right": ("right answers", "正确答案"),
    "legend.wrong": ("wrong places", "认错展品"),
    "legend.false": ("false accepts", "误认"),
    "reliability.title": ("Can the confidence be trusted?", "置信度是否可信？"),
    "reliability.note": (
        "Bars on the diagonal: of answers with a confidence of 0.8, 80 % are right. Expected calibration error "
        "(ECE): {ece}. The numbers count photos.",
        "柱顶落在对角线上表示：置信度 0.8 的答案有 80% 正确。期望校准误差（ECE）：{ece}。数字为照片数。",
    ),
    "accuracy": ("actually right", "实际正确率"),
    "times.title": ("Time per stage", "各阶段耗时"),
    "times.note": ("median {median}, 95 % within {high}", "中位数 {median}，95% 在 {high} 以内"),
    "stage.decode": ("reading the photo", "读取照片"),
    "stage.retrieve": ("retrieval", "检索"),
    "stage.verify": ("verification", "验证"),
    "stage.total": ("all together", "合计"),
    "milliseconds": ("milliseconds", "毫秒"),
    "confusions.title": ("Places taken for others", "容易混淆的展品"),
    "confusions.none": ("No place came first for another.", "没有展品被排在其他展品之前。"),
    "taken_for": ("First candidate", "首位候选"),
    "count": ("Photos", "照片数"),
    "answered": ("Given as the answer", "作为答案给出"),
    "places.title": ("Place by place", "逐件展品"),
    "places.fine": ("{count} places whose photos were all answered correctly", "{count} 件展品的照片全部答对"),
    "among_candidates": ("Among candidates", "进入候选"),
    "sources.title": ("Source by source", "按来源"),
    "source": ("Source", "来源"),
    "known": ("Known", "已收录"),
    "unknown": ("Unknown", "未收录"),
    "first": ("First after verification", "验证后居首"),
    "about": ("What was asked", "评估设置"),
    "folder": ("Photos", "照片"),
    "collection": ("Collection", "图库"),
    "encoder": ("Encoder", "编码模型"),
    "verifier": ("Verifier", "验证模型"),
    "none": ("none", "无"),
    "own_threshold": ("the verifier's own", "验证模型默认"),
}


def say(key: str, **values: object) -> Markup:
    """Return the sentence in both languages, with escaped values in its placeholders."""
    return both(*(Markup(escape(words)).format(**values) for words in _WORDS[key]))


def both(english: str, chinese: str) -> Markup:
    """Return markup of two wordings, of which the page shows one."""
    if english == chinese:
        return Markup(escape(english))
    parts = (
        Markup('<span lang="{}">{}</span>').format(*pair) for pair in zip(LANGUAGES, (english, chinese), strict=True)
    )
    return Markup("").join(parts)


def say_stage(stage: str) -> Markup:
    """Return the name of a stage in both languages; unchanged without a translation."""
    key = f"stage.{stage}"
    return say(key) if key in _WORDS else Markup(escape(stage.replace("_", " ")))


def plain(key: str) -> tuple[str, str]:
    """Return both wordings, for attributes, which cannot hold markup."""
    return _WORDS[key]
