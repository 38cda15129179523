"""Who may do what: every route of the gateway, asked by every role."""

import re
from collections.abc import Callable

import pytest
from bad_photos import GOOD_PHOTO
from guarded import Guarded
from in_process import error_of, ready_body
from starlette.routing import Mount, Route

from gateway.app import create_app
from gateway.page.files import _FOLDER as PAGE
from gateway.settings import GatewaySettings
from serving.auth.keys import create_key, revoke_key
from serving.roles import Role, declared_role, required_role

OPEN, MATCH, MANAGE, ADMIN = Role

# A new route has to be entered here, by somebody who thinks about who may use it.
ROLES = {
    "GET /health/live": OPEN,
    "GET /health/ready": OPEN,
    "GET /session": OPEN,
    "GET /session/keys": ADMIN,
    "POST /session/keys": ADMIN,
    "DELETE /session/keys/{name}": ADMIN,
    "POST /session": OPEN,
    "DELETE /session": OPEN,
    "GET /version": MATCH,
    "POST /match": MATCH,
    "GET /index/images/{image_id}/file": MATCH,
    "GET /index/images/{image_id}/preview": MATCH,
    "GET /index/manifest-template": MATCH,
    "GET /index/manifest": MANAGE,
    "GET /index/archive": MANAGE,
    "PUT /index/places/audio": MANAGE,
    "GET /index/places/audio": MATCH,
    "DELETE /index/places/audio": MANAGE,
    "POST /index/images/move": MANAGE,
    "POST /index/plan": MANAGE,
    "GET /index/places": MATCH,
    "GET /index/collections": MATCH,
    "POST /index/images": MANAGE,
    "POST /index/known": MANAGE,
    "GET /index/images": MANAGE,
    "GET /index/images/{image_id}": MANAGE,
    "PATCH /index/images/{image_id}": MANAGE,
    "DELETE /index/images/{image_id}": MANAGE,
    "GET /collections/{collection}/health": MANAGE,
    "GET /collections/{collection}/matches": MANAGE,
    "GET /collections/{collection}/statistics": MANAGE,
    "GET /collections/{collection}/statistics.csv": MANAGE,
    "GET /collections/{collection}/drift": MANAGE,
    "GET /collections/{collection}/calibration": MANAGE,
    "POST /collections/{collection}/calibration": MANAGE,
    "PATCH /collections/{collection}/calibration": MANAGE,
    "DELETE /collections/{collection}/calibration": MANAGE,
    "GET /collections/{collection}/branding": MATCH,
    "PATCH /collections/{collection}/branding": MANAGE,
    "GET /collections/{collection}/logo": MATCH,
    "PATCH /collections/{collection}": MANAGE,
    "DELETE /collections/{collection}": MANAGE,
    "GET /collections/{collection}/qr.svg": MATCH,
    "GET /collections/{collection}/qr.png": MATCH,
    "POST /collections": MANAGE,
    "GET /collections/{collection}/places/{place}": MATCH,
    "PATCH /collections/{collection}/places/{place}": MANAGE,
    "DELETE /collections/{collection}/places/{place}": MANAGE,
    "GET /inbox": MATCH,
    "POST /inbox": MATCH,
    "DELETE /inbox": MATCH,
    "GET /collections/{collection}/inbox": MANAGE,
    "GET /inbox/{entry}/photo": MANAGE,
    "POST /inbox/{entry}/decision": MANAGE,
    "DELETE /inbox/{entry}": MANAGE,
    "GET /trash": MANAGE,
    "POST /trash/{deletion_id}/restore": MANAGE,
    "DELETE /trash": MANAGE,
    "DELETE /trash/{deletion_id}": MANAGE,
    "GET /sample": MATCH,
    "POST /sample": MANAGE,
    "GET /sample/queries/{number}": MATCH,
    "POST /feedback": MATCH,
}
SIGNING_IN = "POST /session"  # is refused without a key, and is what a key is for
CALLERS = {None: OPEN, "match": MATCH, "manage": MANAGE, "admin": ADMIN}


def operations() -> list[str]:
    """Every documented operation of the gateway."""
    paths = create_app(GatewaySettings()).openapi()["paths"]
    return [f"{method.upper()} {path}" for path, item in paths.items() for method in item]


def ask(product: Guarded, operation: str, caller: str | None) -> int:
    """The status of a harmless request to an operation."""
    method, _, path = operation.partition(" ")
    return product.request(method, re.sub(r"\{\w+\}", "0" * 32, path), caller).status_code


def test_every_route_has_a_role():
    """A route that nobody assigned a role to fails here."""
    assert sorted(operations()) == sorted(ROLES)


def test_every_caller_reaches_their_routes_and_no_others(guarded: Guarded):
    """Below its role a route answers 401 without a key and 403 with one; from it on it does its work."""
    for operation, role in ROLES.items():
        for caller, has in CALLERS.items():
            status = ask(guarded, operation, caller)
            allowed = status not in {401, 403}
            if operation == SIGNING_IN:
                assert allowed == (caller is not None), (operation, caller, status)
            else:
                assert allowed == (has >= role), (operation, caller, status)
                assert allowed or status == (403 if caller else 401), (operation, caller, status)


def test_every_route_has_the_same_role_below_v1(guarded: Guarded):
    """With the version in the path a request is answered as without it, whoever sends it."""
    for operation in ROLES:
        method, _, path = operation.partition(" ")
        for caller in CALLERS:
            plain, versioned = (ask(guarded, f"{method} {prefix}{path}", caller) for prefix in ("", "/v1"))
            assert versioned == plain, (operation, caller)


def test_visitors_may_match_and_look(start: Callable[..., Guarded]):
    """With GATEWAY_ANONYMOUS_ROLE=match people without a key have exactly that role; managing needs a key."""
    product = start(anonymous_role="match")

    for operation, role in ROLES.items():
        if operation != SIGNING_IN:
            assert (ask(product, operation, None) != 401) == (role <= MATCH), operation
    assert product.request("GET", "/metrics").status_code == 401


def test_metrics_are_for_admins(guarded: Guarded):
    """The numbers of the house are shown to its own Prometheus, which has an admin's key."""
    assert [guarded.request("GET", "/metrics", role).status_code for role in CALLERS] == [401, 403, 403, 200]


def test_a_forgotten_declaration_closes_the_door():
    """What has no declared role is for admins."""

    def endpoint() -> None: ...

    assert (declared_role(endpoint), required_role(endpoint)) == (None, ADMIN)


def test_what_lies_outside_the_document_is_the_page_the_docs_or_the_metrics():
    """Routes that bypass the roles serve files that anybody may have."""
    app = create_app(GatewaySettings())
    bypassing = {route.path for route in app.router.routes if isinstance(route, Mount) or type(route) is Route}
    page = {f"/{path.relative_to(PAGE).as_posix()}" for path in PAGE.rglob("*") if path.is_file()}

    drawn = {"/icon-192.png", "/icon-512.png", "/icon-maskable.png"}
    assert bypassing == {"/", *page, *drawn, "/docs", "/docs/files", "/openapi.json"}


def test_details_are_for_admins(guarded: Guarded):
    """Strangers see that it works; counts, models and queues are for whoever runs it."""
    stranger = ready_body(guarded.client)
    admin = ready_body(guarded.client, {"Authorization": f"Bearer {guarded.keys['admin']}"})

    assert stranger["ready"] is admin["ready"] is True
    assert stranger["details"] == stranger["parts"]["retrieval"]["details"] == {}
    assert admin["parts"]["retrieval"]["details"]["images"] == 0


def test_refusals_say_what_is_missing(guarded: Guarded):
    """In the one error shape, with the challenge that HTTP asks for, and without a word of the key."""
    nobody = guarded.request("GET", "/index/images")
    wrong = guarded.request("GET", "/index/images", headers={"Authorization": "Bearer sim_wrong"})
    weak = guarded.request("GET", "/index/images", "match")

    assert nobody.headers["www-authenticate"].startswith("Bearer")
    assert error_of(nobody)["message"] == "this needs a key with the role manage"
    assert (error_of(wrong)["code"], wrong.status_code) == ("unauthorized", 401)
    assert "sim_wrong" not in wrong.text
    assert (error_of(weak)["code"], weak.status_code) == ("forbidden", 403)
    assert error_of(weak)["message"] == "the key match-key has the role match; this needs manage"


def test_an_unknown_key_is_never_taken_for_a_visitor(start: Callable[..., Guarded]):
    """Whoever sends a key learns that it is worthless, also where none would have been needed."""
    product = start(anonymous_role="match")

    answer = product.request("GET", "/index/collections", headers={"Authorization": "Bearer sim_revoked"})

    assert (answer.status_code, error_of(answer)["message"]) == (401, "this key is unknown or was revoked")


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer  ",
        "bearer x y",
        "Bearer null",
        "Bearer \xff\xfe",
        "Bearer " + "x" * 10_000,
        "Basic Y3VyYXRvcjpzZWNyZXQ=",
    ],
)
def test_nonsense_is_nobody(guarded: Guarded, header: str):
    """Whatever stands in the header, it is refused with 401 and no error of ours."""
    answer = guarded.client.get("/index/images", headers={"Authorization": header.encode("latin-1")})

    assert answer.status_code == 401


def test_two_authorizations_contradict_each_other(guarded: Guarded):
    """A proxy and this program might each read another of two headers, so both are refused."""
    good = ("Authorization", f"Bearer {guarded.keys['admin']}")

    assert guarded.client.get("/metrics", headers=[good]).status_code == 200
    assert guarded.client.get("/metrics", headers=[good, ("Authorization", "Bearer x")]).status_code == 401


def test_no_spelling_of_a_path_gets_around(guarded: Guarded):
    """A path leads to a guarded route, or to none."""
    spellings = [
        "//index/images", "/index//images", "/INDEX/images", "/index/images/", "/index%2fimages", "/index/images;x",
        "/index/images%00", "/%69ndex/images", "/health/live%2f..%2f..%2findex/images", "//metrics", "/metrics/",
    ]  # fmt: skip
    for path in spellings:
        for method in ("GET", "POST", "HEAD", "OPTIONS", "get", "TRACE"):
            status = guarded.client.request(method, f"http://localhost{path}", content=b"").status_code
            assert status in {401, 404, 405}, (method, path, status)


def test_forged_headers_tell_nothing(guarded: Guarded):
    """The headers by which the processes trust each other mean nothing when a stranger sends them."""
    forged = {"X-Asked-By": "admin-key 127.0.0.1", "X-Forwarded-For": "127.0.0.1", "X-Original-URL": "/health/live"}

    assert guarded.client.get("/index/images", headers=forged).status_code == 401
    assert (
        guarded.client.get("/metrics", headers={"Authorization": "Bearer a service key for the tests"}).status_code
        == 401
    )


def test_revoking_works_at_once(guarded: Guarded):
    """A running gateway refuses a key from the request after its revocation on, and takes a new one likewise."""
    before = guarded.request("GET", "/index/images", "manage").status_code
    revoke_key(guarded.keys_file, "manage-key")
    after = guarded.request("GET", "/index/images", "manage").status_code
    new = create_key(guarded.keys_file, "another", "manage")
    with_new = guarded.client.get("/index/images", headers={"Authorization": f"Bearer {new}"}).status_code

    assert (before, after, with_new) == (200, 401, 200)


@pytest.mark.parametrize("content", [b"", b"{", b'{"keys": [{"name": "x"}]}', None])
def test_a_damaged_keys_file_opens_nothing(guarded: Guarded, content: bytes | None):
    """While the file cannot be read nobody has a key; when it can again, all is as before."""
    whole = guarded.keys_file.read_bytes()
    if content is None:
        guarded.keys_file.unlink()
    else:
        guarded.keys_file.write_bytes(content)
    damaged = guarded.request("GET", "/index/images", "admin").status_code
    guarded.keys_file.write_bytes(whole)

    assert (damaged, guarded.request("GET", "/index/images", "admin").status_code) == (401, 200)


def test_matching_with_a_key_goes_through_all_processes(guarded: Guarded):
    """The gateway shows the services its own key, and the caller's never."""
    added = guarded.request("POST", "/index/images", "manage", files={"file": ("a.jpg", GOOD_PHOTO)})
    answer = guarded.request("POST", "/match", "match", files={"file": ("q.jpg", GOOD_PHOTO)})

    assert added.json()["added"] == 1
    assert (answer.status_code, answer.json()["verification"]) == (200, "done")
