"""Examples for the documentation; a test holds them to the models."""

from typing import Any

PLACE: dict[str, Any] = {
    "id": "hall-3-vase",
    "name": "Blue-and-white vase",
    "description": "Jingdezhen, early 15th century.",
    "metadata": {"hall": 3, "inventory": "1983.21"},
    "latitude": 30.2527,
    "longitude": 120.1348,
    "hidden": False,
}

IMAGE: dict[str, Any] = {
    "id": "0f8c7a2e5b1d4c0e9a3b6d7f8e1c2b4a",
    "collection": "default",
    "place": PLACE,
    "filename": "vase-front.jpg",
    "media_type": "image/jpeg",
    "width": 3024,
    "height": 4032,
    "bytes": 2481532,
    "content_hash": "779177f22741782a352528d935314dff4a92c1771b92d0a190026b68573a74d4",
    "added_at": "2026-01-31T09:30:00+00:00",
    "file_url": "/index/images/0f8c7a2e5b1d4c0e9a3b6d7f8e1c2b4a/file",
    "preview_url": "/index/images/0f8c7a2e5b1d4c0e9a3b6d7f8e1c2b4a/preview",
}

MATCHED: dict[str, Any] = {
    "matched": True,
    "answer": "match",
    "place": PLACE,
    "confidence": 0.98,
    "reason": "verified: 214 points agree",
    "verification": "done",
    "collection": "default",
    "candidates": [
        {
            "image_id": IMAGE["id"],
            "place": PLACE,
            "similarity": 0.71,
            "rank": 1,
            "retrieval_rank": 2,
            "verdict": {"is_match": True, "confidence": 0.98, "response": "214 points agree"},
            "preview_url": IMAGE["preview_url"],
            "file_url": IMAGE["file_url"],
        }
    ],
    "timings_ms": {
        "receive": 1.1,
        "retrieval_total": 310.5,
        "verification_total": 640.2,
        "gateway": 2.4,
        "total": 954.2,
    },
    "models": {"encoder": "embedded", "verifier": "geometric"},
    "request_id": "9b1f6f0c6a8e4a3f8d8f1d3c5b7a9e21",
    "cpu_ms": {"retrieval_encode": 160.3, "retrieval_search": 88.1, "verification_verify": 1190.4},
}

NOT_MATCHED: dict[str, Any] = {
    **MATCHED,
    "matched": False,
    "answer": "none",
    "place": None,
    "confidence": 0.04,
    "reason": "no candidate was verified; the nearest: only 6 points agree",
}

FEEDBACK: dict[str, Any] = {"request_id": MATCHED["request_id"], "verdict": "other_place", "place_id": "hall-3-vase"}

CALIBRATE: dict[str, Any] = {"target": 0.02, "photos": 100, "use_feedback": True}

FEEDBACK_KEPT: dict[str, Any] = {
    **FEEDBACK,
    "collection": "default",
    "at": "2026-01-31T09:30:00+00:00",
    "features_kept": False,
}

ADDED: dict[str, Any] = {
    "collection": "default",
    "added": 1,
    "duplicates": 0,
    "rejected": 1,
    "results": [
        {"filename": "vase-front.jpg", "status": "added", "image": IMAGE},
        {
            "filename": "notes.txt",
            "status": "rejected",
            "reason": "not an accepted photo: unknown bytes 6e 6f 74 65; send JPEG, PNG, WebP, AVIF or HEIC",
            "code": "unsupported_format",
        },
    ],
}

MOVE: dict[str, Any] = {"collection": "default", "place_id": "hall-3-vase", "places": ["vase-back", "vase-lid"]}

DELETION: dict[str, Any] = {
    "id": "3f0c9a1be2d84c61a7f5b0936d2e48c7",
    "kind": "place",
    "collection": "default",
    "name": "Blue-and-white vase",
    "place_id": "hall-3-vase",
    "images": 4,
    "deleted_at": "2026-01-31T09:30:00+00:00",
    "kept_until": "2026-02-07T09:30:00+00:00",
}

ERROR: dict[str, Any] = {
    "error": {
        "code": "invalid_request",
        "message": "top_k: input should be greater than or equal to 1; got '0'",
        "accepted": "greater than or equal to 1",
        "field": "top_k",
    }
}
