"""The dashboard and the alarms ask for what the product tells."""

import json
import re
from pathlib import Path

import pytest
from fakes.images import draw_place, encode
from in_process import AppClient
from prometheus_client.parser import text_string_to_metric_families

from core.gallery.vectors.port import Lag
from core.runtime.device_use import DeviceMemory
from core.verifiers.base import ServerState
from services.device_metrics import DeviceMetrics
from services.retrieval.vector_engine_metrics import VectorEngineMetrics
from services.verifier.server_metrics import ServerMetrics

DOCS = Path(__file__).parents[2] / "docs"
NAME = r"\b(?:matcher|process)_[a-z_]+\b"


def dashboard_queries() -> list[str]:
    """Every query of the dashboard's panels and variables."""
    board = json.loads((DOCS / "grafana-dashboard.json").read_text())
    variables = [variable["query"] for variable in board["templating"]["list"] if variable["type"] == "query"]
    return variables + [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def alarm_queries() -> list[str]:
    """Every rule's expression on the monitoring page."""
    return re.findall(r"^ +expr: (.+)$", (DOCS / "monitoring.md").read_text(), re.MULTILINE)


class Asking:
    """As a verifier with a server behind it."""

    servers = (ServerState("gpu:8000", None, in_flight=0, answered=1, failed=0),)
    queries_at_once = 2


class Leading:
    """As a gallery with a vector engine behind it."""

    vector_lag = Lag(waiting=1)


class Computing:
    """As a model on a GPU."""

    passes, halvings, graphs, busy_s, waiting_s = 1, 0, 6, 0.1, 0.0
    memory = DeviceMemory(allocated=1, reserved=2, free=3, total=5)


@pytest.fixture
def told(filled: AppClient) -> dict[str, set[str]]:
    """The labels of every sample that the product tells after a match, by its name."""
    filled.post("/match", files={"file": ("q.jpg", encode(draw_place(2)))}).raise_for_status()
    labels: dict[str, set[str]] = {}
    families = [
        *text_string_to_metric_families(filled.get("/metrics").text),
        *ServerMetrics("verifier", Asking()).collect(),
        *DeviceMetrics("verifier", Computing()).collect(),
        *VectorEngineMetrics("retrieval", Leading()).collect(),
    ]
    for family in families:
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


def test_every_query_asks_for_what_exists(told: dict[str, set[str]]):
    """Names and labels of all queries are those of samples that the product really has."""
    queries = dashboard_queries() + alarm_queries()
    assert len(queries) > 20

    for query in queries:
        names = re.findall(rf"{NAME}(?=[{{\[ ,)]|$)", query)
        assert names, query
        assert set(names) <= set(told), query
        for name, selector in re.findall(rf"({NAME}){{([^}}]*)}}", query):
            assert set(re.findall(r"(\w+)(?:=~|!~|!=|=)\"", selector)) <= told[name], query
        grouped = {label for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(", ")}
        assert grouped <= set.union(*(told[name] for name in names)), query


def test_every_metric_is_explained(told: dict[str, set[str]]):
    """The monitoring page has each metric of ours, with its labels, and none that does not exist."""
    rows = {
        name: set(re.findall(r"`(\w+)`", labels)) | {"process"}
        for names, labels in re.findall(r"^\| (`matcher_.+?) \| (.*?) \|", (DOCS / "monitoring.md").read_text(), re.M)
        for name in re.findall(r"`(\w+)`", names)
    }
    samples = {name: labels - {"le"} for name, labels in told.items() if name.startswith("matcher_")}

    assert {re.sub(r"_(bucket|sum|count)$", "", name): labels for name, labels in samples.items()} == rows
