"""Signing a browser in: a key shown once, a cookie from then on."""

from http.cookies import SimpleCookie

import httpx
import pytest
from guarded import Guarded
from in_process import error_of

from serving.auth.keys import revoke_key
from serving.auth.sessions import Sessions

DIGEST = "5e" * 32


def cookie_of(answer: httpx.Response) -> dict[str, str]:
    """The one cookie an answer sets, with its attributes."""
    (cookie,) = SimpleCookie(answer.headers["set-cookie"]).values()
    return {"name": cookie.key, "value": cookie.value, **{name: str(value) for name, value in cookie.items() if value}}


def sign_in(product: Guarded, role: str = "manage", query: str = "") -> dict[str, str]:
    """Sign in; a cookie header that does so for further requests. The client's own jar is emptied."""
    cookie = cookie_of(product.request("POST", f"/session{query}", role))
    product.client._client.cookies.clear()
    return {"Cookie": f"{cookie['name']}={cookie['value']}"}


def test_the_cookie_stands_for_the_key(guarded: Guarded):
    """Requests with the cookie, previews in a page among them, have the role of the key that was shown."""
    cookie = sign_in(guarded)

    assert guarded.request("GET", "/session", headers=cookie).json() == {
        "name": "manage-key",
        "role": "manage",
        "collections": None,
    }
    assert guarded.request("GET", "/index/images", headers=cookie).status_code == 200
    assert guarded.request("GET", "/metrics", headers=cookie).status_code == 403


def test_the_cookie_is_out_of_reach(guarded: Guarded):
    """No script reads it, no other site's request carries it, it is not the key, and it ends with the browser."""
    answer = guarded.request("POST", "/session", "manage")
    cookie = cookie_of(answer)

    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == ("True", "strict", "/")
    assert not {"max-age", "expires", "domain", "secure"} & set(cookie)
    assert guarded.keys["manage"] not in answer.headers["set-cookie"] + answer.text


def test_to_be_remembered_is_asked_for(guarded: Guarded):
    """For thirty days."""
    assert cookie_of(guarded.request("POST", "/session?remember=true", "manage"))["max-age"] == str(30 * 86400)


def test_over_tls_the_cookie_stays_on_tls(guarded: Guarded):
    """Where the page was fetched over HTTPS, the cookie is sent over nothing else."""
    answer = guarded.request("POST", "https://localhost/session", "manage")

    assert cookie_of(answer)["secure"] == "True"


def test_signing_out_ends_the_session(guarded: Guarded):
    """A cookie that somebody copied is worth nothing after it either."""
    cookie = sign_in(guarded)
    out = guarded.request("DELETE", "/session", headers=cookie)

    assert (out.status_code, cookie_of(out)["max-age"]) == (204, "0")
    assert guarded.request("GET", "/index/images", headers=cookie).status_code == 401


def test_a_session_ends_with_its_key(guarded: Guarded):
    """Revoking a key signs out every browser that showed it."""
    cookie = sign_in(guarded)
    revoke_key(guarded.keys_file, "manage-key")

    assert guarded.request("GET", "/index/images", headers=cookie).status_code == 401


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer sim_wrong"}, {"Cookie": "matcher_session=guess"}])
def test_without_a_key_nobody_is_signed_in(guarded: Guarded, headers: dict[str, str]):
    """A wrong key, none, or a cookie alone."""
    answer = guarded.client.post("/session", headers=headers)

    assert (answer.status_code, error_of(answer)["code"]) == (401, "unauthorized")
    assert "set-cookie" not in answer.headers


def test_a_cookie_in_another_sites_request_is_refused(guarded: Guarded):
    """Should a browser ever send it along, the request is still another site's."""
    cookie = sign_in(guarded)

    answer = guarded.request("DELETE", f"/index/images/{'0' * 32}", headers={**cookie, "Sec-Fetch-Site": "cross-site"})

    assert (answer.status_code, error_of(answer)["code"]) == (403, "invalid_request")


def test_sessions_end_after_their_time():
    """Not a second later."""
    now = 1000.0
    sessions = Sessions(clock=lambda: now)
    token = sessions.begin(DIGEST, lasting_s=10)

    assert sessions.key_digest(token) == DIGEST
    now = 1010.0
    assert sessions.key_digest(token) is None


def test_what_is_remembered_of_signing_out_is_bounded():
    """The first to be signed out is forgotten first; memory stays bounded."""
    sessions = Sessions(capacity=2)
    tokens = [sessions.begin(DIGEST, lasting_s=10) for _ in range(3)]
    for token in tokens:
        sessions.end(token)

    assert [sessions.key_digest(token) for token in tokens] == [DIGEST, None, None]


def test_gateways_of_one_secret_know_each_others_sessions():
    """A browser that signed in at one gateway is known at another, and at one of another secret it is not."""
    token = Sessions("a secret of twenty characters").begin(DIGEST, lasting_s=10)

    assert Sessions("a secret of twenty characters").key_digest(token) == DIGEST
    assert Sessions("another secret, as long").key_digest(token) is None
    assert Sessions().key_digest(token) is None


@pytest.mark.parametrize("place", range(0, 140, 7))
def test_a_token_that_was_touched_is_worthless(place: int):
    """Whichever character is changed: the key, the end, the signature."""
    sessions = Sessions()
    token = sessions.begin(DIGEST, lasting_s=10)
    place %= len(token)
    touched = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]

    assert sessions.key_digest(touched) is None


@pytest.mark.parametrize("token", ["", "guess", "äöü", "=", "A" * 10_000])
def test_no_token_at_all_is_nobodys(token: str):
    """Whatever a cookie holds."""
    sessions = Sessions()
    sessions.end(token)

    assert sessions.key_digest(token) is None


def test_admins_see_which_keys_there_are(guarded: Guarded):
    """Names, roles and ages, as they are at this moment; nothing of the keys themselves."""
    revoke_key(guarded.keys_file, "match-key")

    body = guarded.request("GET", "/session/keys", "admin").json()

    assert body["guarded"]
    assert [(key["name"], key["role"]) for key in body["keys"]] == [("manage-key", "manage"), ("admin-key", "admin")]
    assert set(body["keys"][0]) == {"name", "role", "collections", "created"}
