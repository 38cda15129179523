"""What to photograph next, said so that it can be done."""

from collections.abc import Mapping, Sequence

from core.gallery_health.report import Advice, PairFinding, PhotoFinding, PlaceRef

_FAULTS_EN = {
    "dark": "too dark",
    "overexposed": "burnt out by light",
    "flat": "almost without structure",
    "blurred": "blurred",
    "small": "very small",
}
_FAULTS_ZH = {
    "dark": "过暗",
    "overexposed": "曝光过度",
    "flat": "几乎没有内容",
    "blurred": "模糊",
    "small": "尺寸过小",
}
_URGENCY = ("no_usable_photo", "confusable", "one_view", "faulty_photo")


def advise(places: Sequence[PlaceRef], faulty: Sequence[PhotoFinding], pairs: Sequence[PairFinding]) -> list[Advice]:
    """Say what to do about every place that needs something, most useful first.

    Args:
        places: of the collection.
        faulty: photos that should be taken again.
        pairs: of places that may be confused, most alike first.
    """
    faults: dict[str, list[PhotoFinding]] = {}
    for photo in faulty:
        faults.setdefault(photo.place.place_id, []).append(photo)
    twins: dict[str, PlaceRef] = {}
    for pair in pairs:
        if pair.kind != "same_picture":  # a filing error: more photos do not mend it
            twins.setdefault(pair.first.place_id, pair.second)
            twins.setdefault(pair.second.place_id, pair.first)
    advice = [
        _advise(place, faults.get(place.place_id, []), twins.get(place.place_id), reasons)
        for place in places
        if (reasons := _reasons(place, faults, twins))
    ]
    order = {place_id: rank for rank, place_id in enumerate(twins)}
    return sorted(
        advice,
        key=lambda entry: (
            [reason not in entry.reasons for reason in _URGENCY],
            order.get(entry.place.place_id, len(order)),
            entry.place.name,
        ),
    )


def _reasons(
    place: PlaceRef, faults: Mapping[str, list[PhotoFinding]], twins: Mapping[str, PlaceRef]
) -> tuple[str, ...]:
    faulty = len(faults.get(place.place_id, []))
    holds = {
        "no_usable_photo": 0 < faulty == place.images,
        "confusable": place.place_id in twins,
        "one_view": place.images == 1,
        "faulty_photo": 0 < faulty < place.images,
    }
    return tuple(reason for reason in _URGENCY if holds[reason])


def _advise(place: PlaceRef, faulty: Sequence[PhotoFinding], twin: PlaceRef | None, reasons: tuple[str, ...]) -> Advice:
    en, zh = [], []
    if faulty:
        first = faulty[0]
        fault_en = " and ".join(_FAULTS_EN[fault] for fault in first.faults)
        fault_zh = "、".join(_FAULTS_ZH[fault] for fault in first.faults)
        if "no_usable_photo" not in reasons:
            en.append(f"Replace {first.filename} of “{place.name}”: it is {fault_en}.")
            zh.append(f"请替换“{place.name}”的照片 {first.filename}：它{fault_zh}。")
        elif place.images == 1:
            en.append(f"Photograph “{place.name}” again: its only photo is {fault_en}.")
            zh.append(f"请重拍“{place.name}”：唯一的照片{fault_zh}。")
        else:
            en.append(f"Photograph “{place.name}” again: none of its {place.images} photos is good ({fault_en}).")
            zh.append(f"请重拍“{place.name}”：{place.images} 张照片都不合格（{fault_zh}）。")
    if twin is not None:
        en.append(
            f"“{place.name}” looks like “{twin.name}”: photograph both in front of different backgrounds, and add two "
            f"photos of details that only “{place.name}” has."
        )
        zh.append(
            f"“{place.name}”与“{twin.name}”相似：请在不同的背景前拍摄两者，并为“{place.name}”补拍两张能体现其独有细节的照片。"
        )
    elif "one_view" in reasons:
        en.append(
            f"“{place.name}” has one photo only. That is enough for a painting; of an object, add its left, its right "
            "and a view from above, from where visitors stand."
        )
        zh.append(
            f"“{place.name}”只有一张照片。绘画等平面作品一张就够；立体展品请站在游客的位置，从左侧、右侧和上方各补拍一张。"
        )
    return Advice(place, reasons, " ".join(en), "".join(zh))
