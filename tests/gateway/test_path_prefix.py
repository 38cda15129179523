"""Published below a path of a museum's site: links, pages and cookies work there, whatever the proxy does to paths."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from fakes.sounds import wav
from fakes.verifiers import ScriptedVerifier
from in_process import AppClient
from pydantic import ValidationError

from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from serving.auth.keys import create_key
from standalone.app import compose

PHOTO = encode(draw_place(2))
PROXY = "127.0.0.1"  # where requests come from in these tests


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., AppClient]]:
    """Starts the product with settings of the gateway and one photo in its gallery."""
    started: list[AppClient] = []

    def start(**settings) -> AppClient:
        retrieval = create_retrieval(RetrievalSettings(data_dir=tmp_path), encoder=ThumbnailEncoder())
        verifier = create_verifier(VerifierSettings(data_dir=tmp_path), verifier=ScriptedVerifier({}))
        client = AppClient(compose(GatewaySettings(**settings), retrieval=retrieval, verifier=verifier))
        started.append(client.__enter__())
        for service in (retrieval, verifier):
            client.call(service.state.loading.finished)
        return client

    yield start
    for client in started:
        client.__exit__(None, None, None)


def links(client: AppClient, below: str, **headers: str) -> set[str]:
    """All links in replies to one who adds a photo and a recording, lists them and asks, with paths below a prefix."""
    added = client.post(f"{below}/index/images", files={"file": ("a.jpg", PHOTO)}, headers=headers).json()
    image = added["results"][0]["image"]
    spoken = {"place_id": image["place"]["id"], "language": "en"}
    client.request("PUT", f"{below}/index/places/audio", params=spoken, content=wav(), headers=headers)
    answer = client.post(f"{below}/match", files={"file": ("v.jpg", PHOTO)}, headers=headers).json()
    place = client.get(f"{below}/index/places", headers=headers).json()["places"][0]
    sample = client.get(f"{below}/sample", headers=headers).json()
    return {
        image["file_url"],
        image["preview_url"],
        answer["candidates"][0]["preview_url"],
        place["preview_url"],
        place["recordings"]["en"]["url"],
        sample["queries"][0]["url"],
    }


@pytest.mark.parametrize("below", ["/shitu", ""])
def test_links_lead_back_through_the_proxy(start, below: str):
    """They carry the prefix, and can be fetched, where the proxy leaves it in the path and where it takes it off."""
    client = start(root_path="/shitu/")

    found = links(client, below)

    assert len(found) == 4
    assert all(link.startswith("/shitu/") for link in found)
    assert {client.get(below + link.removeprefix("/shitu")).status_code for link in found} == {200}


def test_a_trusted_proxy_may_say_so_at_each_request(start):
    """One gateway can serve several names and paths."""
    client = start(trusted_proxies=(PROXY,))

    assert all(link.startswith("/guides/east/") for link in links(client, "", **{"X-Forwarded-Prefix": "/guides/east"}))
    assert all(link.startswith("/index/") or link.startswith("/sample/") for link in links(client, ""))


@pytest.mark.parametrize("told", ["//evil.example", "https://evil.example", "/a/../b", "/a b", "javascript:x", "/a\\b"])
def test_a_prefix_that_is_none_is_ignored(start, told: str):
    """No header turns a link into one of another site."""
    client = start(trusted_proxies=(PROXY,))

    assert all(link.startswith(("/index/", "/sample/")) for link in links(client, "", **{"X-Forwarded-Prefix": told}))


def test_a_stranger_says_nothing(start):
    """The header of somebody who is no trusted proxy changes nothing, for the answer may be cached for others."""
    client = start()

    assert all(
        link.startswith(("/index/", "/sample/")) for link in links(client, "", **{"X-Forwarded-Prefix": "/evil"})
    )


@pytest.mark.parametrize("prefix", ["/shitu", "/index", "/collections/health"])
def test_a_prefix_may_look_like_a_route(start, prefix: str):
    """Of the path only its beginning is taken off, once."""
    client = start(root_path=prefix)

    assert client.get(f"{prefix}/index/collections").json() == {"collections": []}


def test_the_page_and_the_documentation_load_below_it(start):
    """All that they name relatively is there; without the last slash the browser is sent to it."""
    client = start(root_path="/shitu")

    page = client.get("/shitu/")
    redirect = client.get("/shitu")
    docs = client.get("/shitu/docs")

    assert page.status_code == docs.status_code == 200
    assert 'src="/' not in page.text
    assert 'href="/' not in page.text
    assert (redirect.status_code, redirect.headers["location"]) == (308, "/shitu/")
    assert "'/openapi.json'" not in docs.text
    for relative in ("app.js", "style/base.css", "openapi.json", "docs/files/swagger-ui.css"):
        assert client.get(urljoin("/shitu/docs", relative)).status_code == 200
    server = client.get("/shitu/openapi.json").json()["servers"][0]["url"]
    assert urljoin(urljoin("http://museum.example/shitu/openapi.json", server), "match").endswith("/shitu/match")


def test_the_qr_code_leads_below_it(start):
    """Visitors scan the address that the proxy publishes."""
    client = start(root_path="/shitu")

    assert "<title>http://localhost/shitu/?collection=east</title>" in client.get("/collections/east/qr.svg").text


def test_the_cookie_is_for_that_path_alone(start, tmp_path: Path):
    """The museum's other pages do not get it, and signing out removes it."""
    keys_file = tmp_path / "keys.json"
    key = create_key(keys_file, "curator", "manage")
    client = start(root_path="/shitu", keys_file=keys_file)

    begun = client.post("/shitu/session", headers={"Authorization": f"Bearer {key}"})
    ended = client.request("DELETE", "/shitu/session")

    assert "Path=/shitu/;" in f"{begun.headers['set-cookie']};"
    assert "Path=/shitu/;" in f"{ended.headers['set-cookie']};"


@pytest.mark.parametrize("value", ["shitu", "//x", "/a b", "https://museum.example/shitu", "/../a"])
def test_a_setting_that_is_no_path_is_refused(value: str):
    """At the start, with what would be accepted."""
    with pytest.raises(ValidationError, match="accepted: /shitu"):
        GatewaySettings(root_path=value)
