"""What a process counts, as Prometheus reads it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI, Request
from in_process import AppClient
from prometheus_client.parser import text_string_to_metric_families

from serving.auth.guard import Access
from serving.auth.identity import Everybody
from serving.metrics import OTHER, BoundedLabels, Metrics
from serving.process import build_api


@asynccontextmanager
async def nothing(app: FastAPI) -> AsyncIterator[None]:
    """A lifespan without resources."""
    yield


def app_of(process: str) -> FastAPI:
    """An application with one route that has an id in its path and two stages."""

    async def handler(request: Request, _name: str = "") -> str:
        request.state.timings_ms = {"decode": 20.0, "total": 300.0}
        request.state.cpu_ms = {"decode": 15.0}
        return "ok"

    app = build_api("test", "test", lifespan=nothing, errors={}, metrics=Metrics(process), access=Access(Everybody()))
    app.add_api_route("/things/{_name}", handler)
    return app


def samples(answer: httpx.Response) -> dict[tuple[str, ...], float]:
    """Every sample by its name and its label values, in the order of the labels' names."""
    assert answer.status_code == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_requests_are_counted_by_template_never_by_path():
    """Two ids of one route are one series; unknown paths and methods are one each, however many there are."""
    with AppClient(app_of("test")) as client:
        for path in ("/things/1", "/things/2", "/guess/1", "/guess/2"):
            client.get(path)
        for method in ("BREW", "BREW2"):
            client.request(method, "/guess/1")
        seen = samples(client.get("/metrics"))

    counted = {key[1:]: value for key, value in seen.items() if key[0] == "matcher_requests_total"}
    assert counted == {
        ("GET", "test", "/things/{_name}", "200"): 2,
        ("GET", "test", "(none)", "404"): 2,
        (OTHER, "test", "(none)", "404"): 2,
    }


def test_a_requests_stages_are_measured_in_seconds():
    """The stages that a route times are in the histogram, their work in a counter, the request's own time beside."""
    with AppClient(app_of("test")) as client:
        client.get("/things/1")
        seen = samples(client.get("/metrics"))

    assert seen["matcher_stage_seconds_sum", "test", "decode"] == pytest.approx(0.02)
    assert seen["matcher_stage_seconds_sum", "test", "total"] == pytest.approx(0.3)
    assert seen["matcher_stage_cpu_seconds_total", "test", "decode"] == pytest.approx(0.015)
    assert seen["matcher_request_seconds_count", "GET", "test", "/things/{_name}"] == 1


def test_two_applications_of_one_process_count_apart():
    """Each application has numbers of its own, and one may show another's beside its own, as one valid document."""
    one, two = app_of("one"), app_of("two")
    with AppClient(one) as first, AppClient(two) as second:
        first.get("/things/1")
        second.get("/things/1")
        apart = samples(first.get("/metrics"))
        one.state.metrics.include(two.state.metrics)
        answer = first.get("/metrics")
        together = samples(answer)

    key = ("matcher_request_seconds_count", "GET")
    assert (*key, "two", "/things/{_name}") not in apart
    assert together[*key, "one", "/things/{_name}"] == together[*key, "two", "/things/{_name}"] == 1
    assert answer.text.count("# TYPE matcher_requests_total ") == 1
    assert answer.text.count("# TYPE process_resident_memory_bytes ") <= 1


def test_gates_and_queues_are_asked_when_the_metrics_are():
    """What is at work and waiting is told as it is at that moment."""
    metrics = Metrics("test")
    at_work = [3]
    metrics.watch_gate("searches", lambda: at_work[0], 64)
    metrics.watch_queue("encode", lambda: at_work[0] + 1)
    at_work[0] = 5

    text = metrics.render().decode()

    assert 'matcher_inside{gate="searches",process="test"} 5.0' in text
    assert 'matcher_capacity{gate="searches",process="test"} 64.0' in text
    assert 'matcher_queue_depth{process="test",queue="encode"} 6.0' in text


def test_label_values_from_outside_are_bounded():
    """The first values keep their names; what comes after them shares one."""
    labels = BoundedLabels(2)

    assert [labels.bound(value) for value in ("a", "b", "c", "a", "d")] == ["a", "b", OTHER, "a", OTHER]


def test_caches_tell_their_hits_and_misses():
    """A cache's own counts are shown as they are at that moment."""
    metrics = Metrics("test")
    uses = [(1, 2)]
    metrics.watch_cache("features", lambda: uses[0])
    uses[0] = (5, 3)

    text = metrics.render().decode()

    assert 'matcher_cache_uses_total{cache="features",outcome="hit",process="test"} 5.0' in text
    assert 'matcher_cache_uses_total{cache="features",outcome="miss",process="test"} 3.0' in text
