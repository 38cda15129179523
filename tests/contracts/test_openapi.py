"""What the applications say of themselves is true and complete."""

import re
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from in_process import AppClient
from pydantic import BaseModel

from contracts.errors import ErrorBody
from contracts.feedback import FeedbackReply, FeedbackRequest
from contracts.images import AddReply, ImageBody, PlaceBody
from contracts.matching import MatchFields, MatchReply
from gateway.app import create_app as create_gateway
from gateway.routes.forwarded import ROUTES
from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from serving.auth.guard import authorize
from serving.auth.keys import create_key

APPS: dict[str, FastAPI] = {
    "gateway": create_gateway(GatewaySettings()),
    "retrieval": create_retrieval(RetrievalSettings()),
    "verifier": create_verifier(VerifierSettings()),
}


def operations(app: FastAPI) -> dict[tuple[str, str], dict[str, Any]]:
    """Every documented operation by method and path."""
    return {
        (method, path): operation for path, item in app.openapi()["paths"].items() for method, operation in item.items()
    }


@pytest.mark.parametrize(
    "model", [PlaceBody, ImageBody, MatchReply, AddReply, ErrorBody, FeedbackRequest, FeedbackReply]
)
def test_the_examples_are_valid(model: type[BaseModel]):
    """Nobody copies an example that the product would not send."""
    for example in model.model_config["json_schema_extra"]["examples"]:
        dumped = model.model_validate(example).model_dump(mode="json", exclude_none=True)
        assert set(dumped) >= {name for name, value in example.items() if value is not None}


@pytest.mark.parametrize("name", APPS)
def test_every_route_authorizes_its_caller(name: str):
    """No route of an application is served without it, documented or not."""
    routes = [route for route in APPS[name].routes if isinstance(route, APIRoute)]

    assert {route.unique_id for route in routes} >= {entry["operationId"] for entry in operations(APPS[name]).values()}
    assert all(authorize in {needed.call for needed in route.dependant.dependencies} for route in routes)


@pytest.mark.parametrize("name", APPS)
def test_every_operation_says_what_it_is_for(name: str):
    """Each route has a summary, and each of its failures the one error body."""
    for operation in operations(APPS[name]).values():
        assert operation["summary"]
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                schema = answer["content"]["application/json"]["schema"]["$ref"]
                assert schema.endswith(("/ErrorBody", "/ReadyBody"))


@pytest.mark.parametrize("name", APPS)
def test_every_reference_resolves(name: str):
    """Client generators find everything the document refers to."""
    document = APPS[name].openapi()
    references = set(re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(document)))

    assert references <= set(document["components"]["schemas"])


def test_the_gateway_documents_what_it_forwards_as_the_service_does():
    """Both take the same parameters and bodies and give the same replies; the gateway's failures are added.

    Those are of keys and limits, of a body that it reads, and of a service that cannot be asked in time.
    """
    gateway, retrieval = operations(APPS["gateway"]), operations(APPS["retrieval"])
    forwarded = {(route.method.lower(), route.path.replace(":path", "")) for route in ROUTES}

    internal = {("post", "/search"), ("post", "/matches")}
    assert forwarded == {key for key in retrieval if not key[1].startswith(("/health", "/version"))} - internal
    for key in forwarded:
        own, inner = gateway[key], retrieval[key]
        assert own["summary"] == inner["summary"]
        assert own.get("parameters") == inner.get("parameters")
        success = {status for status in inner["responses"] if int(status) < 400}
        assert success == {status for status in own["responses"] if int(status) < 400}
        assert {status: own["responses"][status].get("content") for status in success} == {
            status: inner["responses"][status].get("content") for status in success
        }
        added = {"401", "403", "429", "504"} | ({"408", "413"} if "requestBody" in own else set())
        assert set(own["responses"]) == set(inner["responses"]) | added


def test_the_match_form_is_documented_field_by_field():
    """The photo and every option are in the form's schema, with their defaults and ranges."""
    operation = operations(APPS["gateway"])[("post", "/match")]
    schema = operation["requestBody"]["content"]["multipart/form-data"]["schema"]

    assert set(schema["properties"]) == {"file", *MatchFields.model_fields}
    assert schema["required"] == ["file"]
    assert (schema["properties"]["top_k"]["default"], schema["properties"]["top_k"]["maximum"]) == (5, 50)


def test_the_documentation_page_needs_no_other_machine():
    """/docs and everything it loads come from the gateway itself."""
    with AppClient(APPS["gateway"]) as client:
        page = client.get("/docs")
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        answers = {path: client.get(f"/{path}") for path in [*loaded, "openapi.json"]}

    assert len(loaded) >= 3
    assert not any(":" in path for path in loaded)
    assert all(answer.status_code == 200 for answer in answers.values())


@pytest.mark.parametrize("name", APPS)
def test_operations_have_names_that_can_be_called(name: str):
    """Each is named once, as a function of a generated client would be."""
    names = [operation["operationId"] for operation in operations(APPS[name]).values()]

    assert len(names) == len(set(names))
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", name) for name in names)


def test_public_names_stay():
    """Generated clients of an earlier version still find what they call."""
    names = {operation["operationId"] for operation in operations(APPS["gateway"]).values()}

    assert names >= {"match", "add_images", "list_places", "get_place", "create_collection", "get_preview"}


@pytest.mark.parametrize("name", APPS)
def test_every_successful_answer_has_a_schema(name: str):
    """Client generators know what to return, of files as well."""
    for (method, path), operation in operations(APPS[name]).items():
        for status, answer in operation["responses"].items():
            for content in answer.get("content", {}).values():
                assert content["schema"], (method, path, status)


@pytest.mark.parametrize("name", ["gateway", "retrieval"])
def test_pictures_are_bytes(name: str):
    """Generated clients return photos and codes as files, SVG too."""
    answers = [operation["responses"]["200"].get("content", {}) for operation in operations(APPS[name]).values()
               if "200" in operation["responses"]]  # fmt: skip
    pictures = [content for answer in answers for kind, content in answer.items() if kind.startswith("image/")]

    assert len(pictures) >= 3
    assert all(picture["schema"] == {"type": "string", "format": "binary"} for picture in pictures)


def test_bodies_are_named_models():
    """The class of a generated client is called as the contract's model, wherever a body is read."""
    document = APPS["gateway"].openapi()
    bodies = {
        operation["operationId"]: operation["requestBody"]["content"]["application/json"]["schema"]
        for operation in operations(APPS["gateway"]).values()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    }

    assert len(bodies) > 8
    assert all(set(schema) == {"$ref"} for schema in bodies.values())
    assert bodies["change_place"]["$ref"].endswith("/PlaceChange")
    assert document["components"]["schemas"]["PlaceChange"]["additionalProperties"] is False


def test_the_events_of_webhooks_are_documented():
    """Under the names that an event has, with its model."""
    described = {
        name: item["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for name, item in APPS["gateway"].openapi()["webhooks"].items()
    }

    assert described == {
        "feedback.given": "FeedbackGiven", "health.worse": "HealthWorse", "drift.found": "DriftFound"
    }  # fmt: skip


def test_a_gateway_with_keys_says_how_they_are_shown(tmp_path):
    """Bearer or cookie, on every operation but those for everybody; visitors' ones may go without, where they may."""
    keys_file = tmp_path / "keys.json"
    create_key(keys_file, "curator", "manage")
    strict = create_gateway(GatewaySettings(keys_file=keys_file))
    relaxed = create_gateway(GatewaySettings(keys_file=keys_file, anonymous_role="match"))

    assert set(strict.openapi()["components"]["securitySchemes"]) == {"key", "session"}
    shown = {name: operations(app) for name, app in (("strict", strict), ("relaxed", relaxed))}
    assert shown["strict"][("post", "/match")]["security"] == [{"key": []}, {"session": []}]
    assert {} in shown["relaxed"][("post", "/match")]["security"]
    for document in shown.values():
        assert {} not in document[("delete", "/collections/{collection}")]["security"]
        assert document[("get", "/health/live")]["security"] == []
    assert "securitySchemes" not in APPS["gateway"].openapi()["components"]
