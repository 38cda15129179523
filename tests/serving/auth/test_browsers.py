"""Which web pages may send requests here."""

import pytest
from starlette.datastructures import Headers

from serving.auth.browsers import is_addressed, is_cross_site, is_host_name

GUIDE = "https://guide.example.org"


@pytest.mark.parametrize(
    ("headers", "cross_site"),
    [
        ({}, False),  # no browser
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),  # typed by the user
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-site"}, True),  # another port of this machine, too
        ({"sec-fetch-site": "cross-site", "origin": GUIDE}, False),
        ({"origin": "http://localhost:8000"}, False),
        ({"origin": "http://LOCALHOST:8000"}, False),
        ({"origin": "http://localhost:9000"}, True),
        ({"origin": "http://evil.example"}, True),
        ({"origin": "null"}, True),
        ({"origin": ""}, True),
        ({"origin": "https://guide.example.org.evil.example"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://behind.a.proxy"}, False),
    ],
)
def test_only_pages_of_this_site_send(headers: dict[str, str], cross_site: bool):
    """Told by what browsers say of the page, in all methods that change something, and none of those that read."""
    sent = Headers({"host": "localhost:8000", **headers})

    assert {is_cross_site(method, sent, (GUIDE,)) for method in ("POST", "PATCH", "DELETE", "PUT", "post")} == {
        cross_site
    }
    assert not any(is_cross_site(method, sent, (GUIDE,)) for method in ("GET", "HEAD", "OPTIONS"))


def test_all_origins_may_be_allowed():
    """Somebody who sets * means it."""
    assert not is_cross_site("POST", Headers({"host": "x", "origin": "null"}), ("*",))


@pytest.mark.parametrize(
    ("host", "addressed"),
    [
        ("localhost", True),
        ("localhost:8000", True),
        ("LocalHost:8000", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("[::1]", True),
        ("guide.example.org", True),
        ("guide.example.org.:8000", True),
        ("evil.example", False),
        ("evil.example:8000", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("127.0.0.1@evil.example", False),
        ("localhost:8000:evil.example", True),  # no browser writes this; the name before the port is what it is
        ("10.0.0.1", False),
        ("[::1", False),
        ("", False),
    ],
)
def test_names_that_are_not_ours_are_not_answered(host: str, addressed: bool):
    """A page that gives its own name our address does not get through."""
    assert is_addressed(Headers({"host": host}), ("guide.example.org",)) is addressed


def test_one_host_or_none():
    """Two contradict each other; no browser sends none."""
    twice = Headers(raw=[(b"host", b"localhost"), (b"host", b"evil.example")])

    assert (is_addressed(twice, ()), is_addressed(Headers({}), ())) == (False, True)


@pytest.mark.parametrize("text", ["gateway", "guide.example.org", "10.0.0.1", "[2001:db8::1]"])
def test_host_names(text: str):
    """What may stand in GATEWAY_ALLOWED_HOSTS."""
    assert is_host_name(text)


@pytest.mark.parametrize("text", ["", "https://guide.example.org", "localhost:8000", "*.example.org", "a/b", "[x]"])
def test_what_is_no_host_name(text: str):
    """What may not."""
    assert not is_host_name(text)
