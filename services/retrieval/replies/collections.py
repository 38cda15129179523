"""Replies about a collection: health, matches, feedback and drift."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from contracts.collections import (
    DriftReply,
    FeedbackEntry,
    HealthBody,
    HealthReply,
    MatchEntry,
    MatchPage,
    ShareBody,
    WeekBody,
)
from contracts.feedback import FeedbackReply, MatchRecordBody
from contracts.inbox import InboxEntryBody, InboxPage, InboxReceipt
from core import journal
from core.gallery_health import HealthReport, Listing
from core.journal import InboxEntry, StoredMatch
from core.journal.drift import Drift, Share
from services.retrieval.background.checkups import Checkup
from serving.path_prefix import link

_WEEKS = 60


def health_reply(collection: str, checkup: Checkup, limit: int) -> HealthReply:
    """Translate a report, with at most ``limit`` entries per list."""
    report = checkup.report
    return HealthReply.model_validate(
        {
            "collection": collection,
            "state": checkup.state,
            "generation": checkup.generation,
            "report": None if report is None else _health_body(report, limit),
        }
    )


def match_page(matches: Sequence[StoredMatch], next_cursor: str | None) -> MatchPage:
    """Translate one page of matches."""
    return MatchPage(matches=[_match_entry(match) for match in matches], next_cursor=next_cursor)


def inbox_page(days: float, entries: Sequence[InboxEntry], next_cursor: str | None) -> InboxPage:
    """Translate one page of the inbox."""
    bodies = [
        InboxEntryBody(
            id=entry.number,
            kept_until=_time(entry.kept_until),
            photo_url=link(f"/inbox/{entry.number}/photo"),
            match=_match_entry(entry.stored),
        )
        for entry in entries
    ]
    return InboxPage(days=days, entries=bodies, next_cursor=next_cursor)


def inbox_receipt(kept_until: float) -> InboxReceipt:
    """Say until when a photo is kept."""
    return InboxReceipt(kept_until=_time(kept_until))


def match_record(body: MatchRecordBody) -> journal.MatchRecord:
    """Translate the numbers of an answer to a record."""
    return journal.MatchRecord(**body.model_dump())


def feedback_reply(stored: StoredMatch) -> FeedbackReply:
    """Translate a match with feedback."""
    feedback = stored.feedback
    if feedback is None:
        raise RuntimeError("a match without feedback cannot be answered as one with feedback")
    return FeedbackReply(
        request_id=stored.match.request_id,
        collection=stored.match.collection,
        verdict=feedback.verdict,
        place_id=feedback.place_id,
        at=_time(feedback.at),
        features_kept=feedback.has_features,
    )


def drift_reply(collection: str, drift: Drift) -> DriftReply:
    """Translate a drift report."""
    return DriftReply.model_validate(
        {
            "collection": collection,
            "state": drift.state,
            "en": drift.en,
            "zh": drift.zh,
            "reference_source": drift.reference_source,
            "reference": _share(drift.reference),
            "weeks": [
                WeekBody(
                    start=week.start,
                    is_complete=week.is_complete,
                    is_reference=week.is_reference,
                    answered=_share(week.answered),
                    precision=_share(week.precision),
                    psi=week.psi,
                    ks_p=week.ks_p,
                    answers_changed=week.answers_changed,
                    scores_changed=week.scores_changed,
                )
                for week in drift.weeks[-_WEEKS:]
            ],
            "precision": _share(drift.precision),
            "left_out": drift.left_out,
        }
    )


def _health_body(report: HealthReport, limit: int) -> HealthBody:
    lists: dict[str, Any] = {
        name: {"total": listing.total, "entries": [asdict(entry) for entry in listing.entries[:limit]]}
        for name in ("faulty_photos", "pairs", "one_view", "unnamed", "undescribed", "advice")
        if isinstance(listing := getattr(report, name), Listing)
    }
    for photo in lists["faulty_photos"]["entries"]:
        photo["preview_url"] = _preview_url(photo["image_id"])
    for pair in lists["pairs"]["entries"]:
        pair["first_preview_url"] = _preview_url(pair["first_image_id"])
        pair["second_preview_url"] = _preview_url(pair["second_image_id"])
    numbers: dict[str, Any] = {name: getattr(report, name) for name in HealthBody.model_fields if name not in lists}
    return HealthBody.model_validate({**numbers, **lists})


def _preview_url(image_id: str) -> str:
    return f"/index/images/{image_id}/preview"


def _match_entry(stored: StoredMatch) -> MatchEntry:
    match, feedback = stored.match, stored.feedback
    return MatchEntry.model_validate(
        {
            "request_id": match.request_id,
            "at": _time(match.at),
            "matched": match.matched,
            "answer": "match" if match.matched else "maybe" if "maybe" in match.evidence else "none",
            "place_id": match.place_id,
            "place_name": match.place_name,
            "confidence": match.confidence,
            "score": match.score,
            "verification": match.verification,
            "evidence": dict(match.evidence),
            "feedback": None
            if feedback is None
            else FeedbackEntry(verdict=feedback.verdict, place_id=feedback.place_id, at=_time(feedback.at)),
        }
    )


def _share(share: Share) -> ShareBody:
    low, high = share.interval()
    return ShareBody(count=share.count, total=share.total, share=share.value, low=low, high=high)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
