"""What the gateway tells browsers: headers on every answer, and whose scripts may read them."""

import re
from collections.abc import Iterator

import httpx
import pytest
from in_process import AppClient
from pydantic import ValidationError

from gateway.app import create_app
from gateway.settings import GatewaySettings

GUIDE = "https://guide.example.org"
PREFLIGHT = {"Origin": GUIDE, "Access-Control-Request-Method": "POST"}


@pytest.fixture(scope="module")
def site() -> Iterator[AppClient]:
    """A gateway without its services."""
    with AppClient(create_app(GatewaySettings())) as client:
        yield client


def policy_of(answer: httpx.Response) -> dict[str, str]:
    """The directives of an answer's content security policy."""
    parts = [part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";")]
    return {name: value for name, _, value in parts}


@pytest.mark.parametrize(
    "path", ["/", "/app.js", "/docs", "/docs/files/swagger-ui.css", "/openapi.json", "/health/live", "/metrics", "/no"]
)
def test_every_answer_restrains_the_browser(site: AppClient, path: str):
    """Pages, data and errors alike: nothing is sniffed, framed or given more of the device than the camera."""
    answer = site.get(path)

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=(self)" in answer.headers["permissions-policy"]
    assert policy_of(answer)["default-src"] == "'none'"
    assert policy_of(answer)["frame-ancestors"] == "'none'"


def test_the_pages_header_says_what_the_page_says(site: AppClient):
    """The header forbids framing and is otherwise the policy written in the page."""
    answer = site.get("/")
    (written,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', answer.text)

    assert answer.headers["content-security-policy"] == f"{written}; frame-ancestors 'none'"


def test_a_named_site_may_show_the_page_in_a_frame_and_nothing_else():
    """The page opens in frames of the origins of the setting; the documentation and answers in none."""
    with AppClient(create_app(GatewaySettings(frame_ancestors=f"{GUIDE},http://localhost:5173"))) as client:
        framed = {path: policy_of(client.get(path))["frame-ancestors"] for path in ("/", "/docs", "/health/live")}

    assert framed == {"/": f"{GUIDE} http://localhost:5173", "/docs": "'none'", "/health/live": "'none'"}


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_no_inline_script_is_allowed_wholesale(site: AppClient, path: str):
    """Scripts come from this server; what is inline is named by its hash."""
    answer = site.get(path)
    inline = re.findall(r"<script>", answer.text)

    assert "unsafe" not in policy_of(answer)["script-src"]
    assert policy_of(answer)["script-src"].count("'sha256-") == len(inline)


def test_other_origins_are_shut_out_by_default(site: AppClient):
    """Without the setting no answer may be read by another site's scripts, and no preflight succeeds."""
    plain = site.get("/health/live", headers={"Origin": GUIDE})
    preflight = site.request("OPTIONS", "/match", headers=PREFLIGHT)

    assert not [name for name in (*plain.headers, *preflight.headers) if name.startswith("access-control-")]
    assert preflight.status_code == 405


def test_a_named_origin_is_let_in_and_no_other():
    """The origins of the setting may call the API and read its errors too; every other origin stays shut out."""
    with AppClient(create_app(GatewaySettings(cors_origins=(GUIDE,)))) as client:
        preflight = client.request("OPTIONS", "/match", headers=PREFLIGHT)
        error = client.post("/match", headers={"Origin": GUIDE})
        stranger = client.request("OPTIONS", "/match", headers={**PREFLIGHT, "Origin": "https://evil.example"})

    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, GUIDE)
    assert (error.status_code, error.headers["access-control-allow-origin"]) == (422, GUIDE)
    assert "x-request-id" in error.headers["access-control-expose-headers"].lower()
    assert "access-control-allow-credentials" not in error.headers
    assert (stranger.status_code, stranger.headers.get("access-control-allow-origin")) == (400, None)
    assert preflight.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("value", "origins"),
    [(f"{GUIDE}, http://localhost:5173", (GUIDE, "http://localhost:5173")), ("*", ("*",)), ("", ())],
)
def test_origins_are_separated_by_commas(value: str, origins: tuple[str, ...], monkeypatch: pytest.MonkeyPatch):
    """The variable is a plain list."""
    monkeypatch.setenv("GATEWAY_CORS_ORIGINS", value)

    assert GatewaySettings().cors_origins == origins


@pytest.mark.parametrize("value", ["guide.example.org", f"{GUIDE}/", f"{GUIDE}/page", "https://*.example.org", "null"])
def test_what_is_no_origin_is_refused_at_start(value: str, monkeypatch: pytest.MonkeyPatch):
    """A value that no browser would ever send is a mistake, and the message says what would be accepted."""
    monkeypatch.setenv("GATEWAY_CORS_ORIGINS", value)

    with pytest.raises(ValidationError, match=r"is not an origin; accepted: scheme, host and port"):
        GatewaySettings()


def test_every_documented_header_may_be_sent_from_another_site():
    """A preflight allows each request header that the documentation offers, and those of keys and bodies."""
    app = create_app(GatewaySettings(cors_origins=GUIDE))
    offered = {
        parameter["name"]
        for path in app.openapi()["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "header"
    }
    assert offered >= {"X-Request-Timeout-S", "If-Match", "Idempotency-Key"}
    with AppClient(app) as client:
        for header in offered | {"Authorization", "Content-Type", "X-Request-ID", "If-None-Match"}:
            answer = client.request(
                "OPTIONS", "/match", headers={**PREFLIGHT, "Access-Control-Request-Headers": header}
            )
            assert answer.status_code == 200, header


def test_scripts_of_another_site_may_read_what_they_need():
    """Limits, tags for editing, and what undoes a deletion are shown to them, not only sent."""
    with AppClient(create_app(GatewaySettings(cors_origins=GUIDE))) as client:
        exposed = client.get("/health/live", headers={"Origin": GUIDE}).headers["access-control-expose-headers"]

    assert set(exposed.split(", ")) >= {"RateLimit", "RateLimit-Policy", "Retry-After", "ETag", "X-Trash-Id"}
