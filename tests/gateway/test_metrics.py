"""What the whole product in one process tells Prometheus."""

import pytest
from fakes.images import draw_place, encode
from in_process import AppClient
from prometheus_client.parser import text_string_to_metric_families

KNOWN = encode(draw_place(2))
OTHER_PLACE = encode(draw_place(1))


def series(product: AppClient, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """The samples of one name, by the values of some of their labels, added up over the others."""
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(product.get("/metrics").text):
        for sample in family.samples:
            if sample.name == name:
                key = tuple(sample.labels[label] for label in labels)
                found[key] = found.get(key, 0.0) + sample.value
    return found


def test_answers_are_counted_per_collection(filled: AppClient):
    """A match, a refusal and an unverified answer are told apart, each with its scores."""
    filled.post("/match", files={"file": ("q.jpg", KNOWN)})
    filled.post("/match", files={"file": ("q.jpg", KNOWN)}, data={"top_k": "1"})
    filled.post("/match", files={"file": ("q.jpg", OTHER_PLACE)}, data={"top_k": "1"})
    filled.post("/match", files={"file": ("q.jpg", b"nothing")})

    assert series(filled, "matcher_matches_total", "collection", "outcome", "verification") == {
        ("default", "matched", "done"): 2,
        ("default", "refused", "done"): 1,
    }
    assert series(filled, "matcher_confidence_sum", "outcome") == pytest.approx(
        {("matched",): 1.8, ("refused",): 0.0}, abs=1e-4
    )
    assert series(filled, "matcher_similarity_count", "collection") == {("default",): 3}


def test_one_process_shows_all_three(filled: AppClient):
    """In one process the gateway's metrics hold the services' as well: their requests, stages, gates and batches."""
    filled.post("/match", files={"file": ("q.jpg", KNOWN)})

    assert series(filled, "matcher_requests_total", "process", "route").keys() >= {
        ("gateway", "/match"),
        ("retrieval", "/search"),
        ("verifier", "/verify"),
    }
    assert series(filled, "matcher_stage_seconds_count", "process", "stage").keys() >= {
        ("gateway", "retrieval_encode"),
        ("retrieval", "encode"),
        ("verifier", "verify"),
    }
    assert series(filled, "matcher_stage_cpu_seconds_total", "process", "stage").keys() >= {
        ("gateway", "retrieval_encode"),
        ("retrieval", "encode"),
        ("verifier", "verify"),
    }
    assert series(filled, "matcher_capacity", "process", "gate").keys() == {
        ("gateway", "matches"),
        ("gateway", "receiving"),
        ("retrieval", "searches"),
        ("retrieval", "uploads"),
        ("verifier", "photos"),
    }
    assert series(filled, "matcher_batch_size_sum", "queue") == {("encode",): 7}
    assert series(filled, "matcher_queue_depth", "queue") == {("encode",): 0}


def test_matches_are_admitted_with_a_margin(product: AppClient):
    """Before the first answer, one a second is assumed; a match has a minute, and 30 seconds' worth are admitted."""
    assert series(product, "matcher_capacity", "process", "gate")["gateway", "matches"] == 30


def test_caches_are_told_per_service(filled: AppClient):
    """A photo asked about twice finds its candidates' local features in the memory of whoever needed them before."""
    for _ in range(2):
        filled.post("/match", files={"file": ("q.jpg", KNOWN)})

    uses = series(filled, "matcher_cache_uses_total", "process", "cache", "outcome")

    assert uses.keys() == {(p, "local_features", o) for p in ("retrieval", "verifier") for o in ("hit", "miss")}
    assert uses["verifier", "local_features", "hit"] == uses["verifier", "local_features", "miss"] == 5
