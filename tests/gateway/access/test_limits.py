"""How many requests somebody may send."""

from collections.abc import Callable

import httpx
import pytest
from guarded import Guarded
from in_process import error_of

from serving.auth.limits import TokenBuckets

OVER = {"Content-Type": "text/plain"}  # refused by the route itself, after it was counted


def ask(product: Guarded, role: str | None = None, address: str = "203.0.113.7", **headers: str) -> httpx.Response:
    """Send a match that fails, through a proxy that names the visitor's address."""
    return product.request("POST", "/match", role, content=b"", headers={**OVER, "X-Forwarded-For": address, **headers})


def test_more_than_a_minutes_worth_is_refused_with_the_time_to_wait(start: Callable[..., Guarded]):
    """The answer is 429 in the one shape, and its Retry-After is when the next request passes."""
    product = start(rate_per_minute=6)

    answers = [ask(product, "match") for _ in range(7)]

    assert [answer.status_code for answer in answers] == [422] * 6 + [429]
    assert error_of(answers[-1])["code"] == "rate_limited"
    assert 9 <= int(answers[-1].headers["retry-after"]) <= 10
    assert answers[0].headers["ratelimit-policy"] == '"requests";q=6;w=60'
    assert [answer.headers["ratelimit"][-1] for answer in answers] == ["5", "4", "3", "2", "1", "0", "0"]


def test_each_key_has_its_own(start: Callable[..., Guarded]):
    """One busy program stops no other."""
    product = start(rate_per_minute=1)

    assert [ask(product, role).status_code for role in ("match", "match", "admin")] == [422, 429, 422]


def test_reading_costs_a_tenth(start: Callable[..., Guarded]):
    """A page that shows thirty previews is no flood."""
    product = start(rate_per_minute=2)

    statuses = [product.request("GET", "/index/collections", "match").status_code for _ in range(21)]

    assert statuses == [200] * 20 + [429]


def test_visitors_are_counted_by_address(start: Callable[..., Guarded]):
    """Behind a trusted proxy by the address that it names; neighbours in one IPv6 network count as one."""
    product = start(anonymous_role="match", anonymous_rate_per_minute=1, trusted_proxies=("127.0.0.1",))
    addresses = ["203.0.113.7", "203.0.113.7", "203.0.113.8", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]

    assert [ask(product, address=address).status_code for address in addresses] == [422, 429, 422, 422, 429, 422]


def test_nobody_invents_an_address(start: Callable[..., Guarded]):
    """What a caller that is no trusted proxy says of its address is not believed."""
    product = start(anonymous_role="match", anonymous_rate_per_minute=1)

    assert [ask(product, address=f"203.0.113.{last}").status_code for last in (7, 8)] == [422, 429]


def test_nobody_invents_an_address_through_a_proxy(start: Callable[..., Guarded]):
    """Of a list of addresses the one that the trusted proxy itself has seen counts: the last."""
    product = start(anonymous_role="match", anonymous_rate_per_minute=1, trusted_proxies=("127.0.0.1",))

    assert [ask(product, address=f"10.0.0.{last}, 203.0.113.7").status_code for last in (1, 2)] == [422, 429]


def test_guessing_keys_is_limited(start: Callable[..., Guarded]):
    """Wrong keys are counted against the address they come from."""
    product = start(anonymous_rate_per_minute=2)
    guess = {"Authorization": "Bearer sim_guess"}

    statuses = [product.client.post("/session", headers=guess).status_code for _ in range(3)]

    assert statuses == [401, 401, 429]


def test_health_is_never_counted(start: Callable[..., Guarded]):
    """Whoever watches the product is not shut out by its visitors."""
    product = start(anonymous_rate_per_minute=1)

    assert {product.request("GET", "/health/live").status_code for _ in range(30)} == {200}


@pytest.mark.parametrize("per_minute", [1, 60, 600])
def test_a_bucket_refills_steadily(per_minute: int):
    """Never more than a minute's worth at once, and on average never more than the rate."""
    now = 0.0
    buckets = TokenBuckets(per_minute, clock=lambda: now)
    taken = 0
    for second in range(0, 600):
        now = float(second)
        while (allowance := buckets.take("a", 1.0)) and allowance.retry_after_s is None:
            taken += 1

    assert per_minute * 10 <= taken <= per_minute * 11


def test_buckets_are_bounded():
    """However many addresses come, memory does not grow."""
    buckets = TokenBuckets(1, capacity=100)
    for number in range(1000):
        buckets.take(str(number), 1.0)

    assert len(buckets._buckets) == 100
