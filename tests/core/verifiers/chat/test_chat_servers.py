"""Several servers asked as one: who is asked, who is left alone, and when they may come back."""

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from threading import Barrier, Event
from typing import Any

import pytest
from fakes.chat_server import ChatServer as ServerProcess
from fakes.chat_server import completion
from fakes.clock import Clock

from core.errors import BackendUnavailable, InvalidRequest, NoVerdict
from core.runtime.cancellation import cancelled_by
from core.verifiers.chat.chat_server import ChatServer, ServerFailed
from core.verifiers.chat.chat_servers import FIRST_PAUSE_S, LONGEST_PAUSE_S, QUERIES_IN_DOUBT, ChatServers

Join = Callable[..., ChatServers]

# Never within a test, unless it asks for a check.
SELDOM_S = 3600.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def join(clock: Clock) -> Iterator[Join]:
    """Asks servers as one, and lets go of them afterwards."""
    with ExitStack() as stack:

        def make(*urls: str, busier_by: int = 8, timeout_s: float = 20.0) -> ChatServers:
            servers = [ChatServer(url, "tiny", None) for url in urls]
            joined = ChatServers(servers, timeout_s=timeout_s, busier_by=busier_by, check_every_s=SELDOM_S, clock=clock)
            return stack.enter_context(closing(joined))

        yield make


def yes(_request: dict[str, Any]) -> tuple[int, Any]:
    return 200, completion("yes")


def ask(servers: ChatServers, query: int | str) -> Any:
    return servers.complete([], query_key=str(query))


def query_of(servers: ChatServers, process: ServerProcess) -> str:
    """A query that is asked of this server first."""
    for number in range(100):
        before = len(process.requests)
        ask(servers, number)
        if len(process.requests) > before:
            return str(number)
    raise AssertionError("a hundred queries, and none of them goes to this server")


def test_a_query_keeps_to_one_server_and_queries_spread(join: Join):
    """What belongs to one query is said to one server; over many queries each server gets its share."""
    with ServerProcess(yes) as first, ServerProcess(yes) as second:
        servers = join(first.url, second.url)
        for query in range(40):
            before = len(first.requests), len(second.requests)
            for _pair in range(3):
                ask(servers, query)
            assert (len(first.requests) - before[0], len(second.requests) - before[1]) in ((3, 0), (0, 3))

    assert min(len(first.requests), len(second.requests)) >= 3 * 8
    assert [state.answered for state in servers.states] == [len(first.requests), len(second.requests)]


def test_a_server_that_joins_takes_over_few_queries(join: Join):
    """Of the queries of two servers a third gets its own, and none moves between the two."""
    with ServerProcess(yes) as first, ServerProcess(yes) as second, ServerProcess(yes) as third:
        two, three = join(first.url, second.url), join(first.url, second.url, third.url)
        for query in range(30):
            counts = len(first.requests), len(second.requests)
            ask(two, query)
            was_first = len(first.requests) > counts[0]
            counts = len(first.requests), len(second.requests), len(third.requests)
            ask(three, query)
            other = second if was_first else first
            assert len(other.requests) == counts[1 if was_first else 0]

    assert third.requests


def test_a_clearly_busier_server_is_passed_over(join: Join):
    """With two more in flight than elsewhere, the next request of a query goes elsewhere."""
    arrived, go_on = Barrier(3), Event()
    slow_now = Event()

    def slowly(request: dict[str, Any]) -> tuple[int, Any]:
        if slow_now.is_set():
            arrived.wait(10)
            go_on.wait(10)
        return yes(request)

    with ServerProcess(slowly) as busy, ServerProcess(yes) as free, ThreadPoolExecutor(2) as threads:
        servers = join(busy.url, free.url, busier_by=2)
        query = query_of(servers, busy)
        asked = len(free.requests)
        slow_now.set()
        waiting = [threads.submit(ask, servers, query) for _ in range(2)]
        arrived.wait(10)
        ask(servers, query)
        in_flight = [state.in_flight for state in servers.states]
        go_on.set()
        for future in waiting:
            future.result()

    assert in_flight == [2, 0]
    assert len(free.requests) == asked + 1


@pytest.mark.parametrize("status", [500, 503, 429, 404, 401])
def test_what_fails_here_is_asked_elsewhere(join: Join, status: int):
    """A server that fails is asked once and then left alone; its requests are answered by the other."""
    broken = Event()

    def break_down(request: dict[str, Any]) -> tuple[int, Any]:
        return (status, {}) if broken.is_set() else yes(request)

    with ServerProcess(break_down) as failing, ServerProcess(yes) as good:
        servers = join(failing.url, good.url)
        query = query_of(servers, failing)
        broken.set()
        before = len(failing.requests), len(good.requests)
        answers = [ask(servers, query) for _ in range(3)]

    assert answers == [completion("yes")] * 3
    assert (len(failing.requests) - before[0], len(good.requests) - before[1]) == (1, 3)
    away, here = servers.states
    assert str(status) in (away.away_because or "")
    assert (away.failed, here.away_because) == (1, None)


def test_a_killed_server_costs_no_request(join: Join):
    """Requests that a server was killed over are answered by another, all of them."""
    arrived = Barrier(5)
    killing = Event()

    def hold(request: dict[str, Any]) -> tuple[int, Any]:
        if killing.is_set():
            arrived.wait(10)
            Event().wait(10)
        return yes(request)

    with ExitStack() as stack:
        dying = ServerProcess(hold)
        dying.__enter__()
        good = stack.enter_context(ServerProcess(yes))
        threads = stack.enter_context(ThreadPoolExecutor(4))
        servers = join(dying.url, good.url)
        query = query_of(servers, dying)
        killing.set()
        waiting = [threads.submit(ask, servers, query) for _ in range(4)]
        arrived.wait(10)
        dying.kill()

        assert [future.result() for future in waiting] == [completion("yes")] * 4


def test_what_is_the_requests_own_fault_is_asked_once(join: Join):
    """A photo that one server refuses would be refused by all, and the server is not blamed."""
    with ServerProcess(lambda _request: (400, {})) as first, ServerProcess(lambda _request: (400, {})) as second:
        servers = join(first.url, second.url)
        with pytest.raises(BackendUnavailable, match="HTTP 400"):
            ask(servers, "a query")

    assert len(first.requests) + len(second.requests) == 1
    assert all(state.away_because is None for state in servers.states)


def test_what_fails_at_two_servers_is_the_requests_own_fault(join: Join):
    """A photo over which one server after another fails is refused, and no server is left alone for it."""

    def fail_over_poison(request: dict[str, Any]) -> tuple[int, Any]:
        return (500, {}) if request["messages"] else yes(request)

    with ServerProcess(fail_over_poison) as first, ServerProcess(fail_over_poison) as second:
        servers = join(first.url, second.url)
        for _ in range(5):
            with pytest.raises(NoVerdict, match="HTTP 500"):
                servers.complete([{"role": "user", "content": "poison"}], query_key="poison")
        assert all(state.away_because is None for state in servers.states)
        assert ask(servers, "another query") == completion("yes")


@pytest.mark.parametrize("count", [1, 2])
def test_a_server_that_fails_over_every_query_is_left_alone(join: Join, count: int):
    """What fails over one query is in doubt; over three different ones in a row it is the server."""
    with ExitStack() as stack:
        processes = [stack.enter_context(ServerProcess(lambda _request: (500, {}))) for _ in range(count)]
        servers = join(*(process.url for process in processes))
        for query in range(QUERIES_IN_DOUBT + 1):
            with pytest.raises(BackendUnavailable, match="HTTP 500"):
                ask(servers, query)
    assert all("HTTP 500" in str(state.away_because) for state in servers.states)


def test_a_busy_server_is_asked_again_when_it_says(join: Join):
    """429 with Retry-After from the only server is waited for, as long as there is time."""
    said: list[int] = []

    def busy_first(request: dict[str, Any]) -> tuple[int, Any]:
        said.append(1)
        return (429, {}) if len(said) == 1 else yes(request)

    with ServerProcess(busy_first, headers={"Retry-After": "0"}) as server:
        servers = join(server.url)
        assert ask(servers, "a query") == completion("yes")
    assert servers.states[0].failed == 0


def test_servers_that_nobody_closed_end_with_their_last_user():
    """The thread that checks them keeps none alive."""
    with ServerProcess(yes) as process:
        servers = ChatServers([ChatServer(process.url, "tiny", None)], timeout_s=5, busier_by=8, check_every_s=SELDOM_S)
        thread = servers._checking
        del servers
        gc.collect()
        thread.join(10)
    assert not thread.is_alive()


def test_a_hanging_server_leaves_time_for_another():
    """A server that never answers gets half of the time, and another the rest."""
    over = Event()

    def hang(_request: dict[str, Any]) -> tuple[int, Any]:
        over.wait(10)
        return 200, {}

    with ServerProcess(hang) as hanging, ServerProcess(yes) as good:
        servers = ChatServers(
            [ChatServer(hanging.url, "tiny", None), ChatServer(good.url, "tiny", None)], timeout_s=0.6, busier_by=8
        )
        with closing(servers):
            answers = [ask(servers, query) for query in range(6)]
        over.set()

    assert answers == [completion("yes")] * 6
    assert len(hanging.requests) == 1


def test_a_failed_server_returns_on_trial(join: Join, clock: Clock):
    """After a pause and an answered check it gets one request at a time, and all of its queries once it answered."""
    broken, held, arrived, go_on = Event(), Event(), Event(), Event()

    def answer(request: dict[str, Any]) -> tuple[int, Any]:
        if broken.is_set():
            return 500, {}
        if held.is_set():
            arrived.set()
            go_on.wait(10)
        return yes(request)

    with ServerProcess(answer) as failing, ServerProcess(yes) as good, ThreadPoolExecutor(1) as threads:
        servers = join(failing.url, good.url)
        query = query_of(servers, failing)
        broken.set()
        ask(servers, query)
        broken.clear()
        servers.check()
        assert failing.checks == 0  # it is left alone, also by checks

        clock.now_s += FIRST_PAUSE_S
        servers.check()
        assert (failing.checks, servers.states[0].away_because) == (1, None)

        held.set()
        asked = len(failing.requests)
        trial = threads.submit(ask, servers, query)
        assert arrived.wait(10)
        ask(servers, query)
        assert len(failing.requests) == asked + 1
        go_on.set()
        trial.result()
        ask(servers, query)
        assert len(failing.requests) == asked + 2


def test_a_server_that_fails_again_is_left_alone_for_longer(join: Join, clock: Clock):
    """Each failure on trial doubles the pause, up to a minute."""
    broken = Event()

    def answer(request: dict[str, Any]) -> tuple[int, Any]:
        return (500, {}) if broken.is_set() else yes(request)

    with ServerProcess(answer) as failing, ServerProcess(yes) as good:
        servers = join(failing.url, good.url)
        query = query_of(servers, failing)
        broken.set()
        pauses = []
        for _ in range(6):
            ask(servers, query)
            left_at = clock.now_s
            while servers.states[0].away_because is not None:
                clock.now_s += 1
                servers.check()
            pauses.append(clock.now_s - left_at)

    assert pauses == [FIRST_PAUSE_S, 10, 20, 40, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_a_check_finds_out_before_a_visitor_does(join: Join, clock: Clock):
    """A server that stops to answer is left alone before anybody asks it, and a busy one is not disturbed by checks."""
    with ServerProcess(yes) as first, ServerProcess(yes) as second:
        servers = join(first.url, second.url)
        query = query_of(servers, first)
        servers.check()
        assert first.checks == 0  # it has just answered
        first.health = 503
        clock.now_s += SELDOM_S
        servers.check()
        asked = len(first.requests)
        ask(servers, query)

    assert first.checks == 1
    assert len(first.requests) == asked
    assert servers.states[0].away_because == f"server {servers.states[0].name} failed with HTTP 503"


def test_a_server_at_work_is_not_checked(join: Join, clock: Clock):
    """However long it takes: the request itself will tell, and a busy server may be slow to say that it lives."""
    arrived, go_on = Event(), Event()

    def slowly(request: dict[str, Any]) -> tuple[int, Any]:
        arrived.set()
        go_on.wait(10)
        return yes(request)

    with ServerProcess(slowly) as busy, ThreadPoolExecutor(1) as threads:
        busy.health = 503
        servers = join(busy.url)
        waiting = threads.submit(ask, servers, "a query")
        assert arrived.wait(10)
        clock.now_s += SELDOM_S
        servers.check()
        assert (busy.checks, servers.states[0].away_because) == (0, None)
        go_on.set()
        waiting.result()


def test_where_nobody_is_known_to_answer_somebody_is_asked(join: Join):
    """With all servers away a request is tried once, and answered if one has come back."""
    broken = Event()
    broken.set()

    def answer(request: dict[str, Any]) -> tuple[int, Any]:
        return (503, {}) if broken.is_set() else yes(request)

    with ServerProcess(answer) as first, ServerProcess(answer) as second:
        servers = join(first.url, second.url)
        with pytest.raises(ServerFailed, match="HTTP 503"):
            ask(servers, "a query")
        assert (len(first.requests), len(second.requests)) == (1, 1)
        with pytest.raises(ServerFailed, match="HTTP 503"):
            ask(servers, "a query")
        assert len(first.requests) + len(second.requests) == 3
        broken.clear()

        assert ask(servers, "a query") == completion("yes")


def test_nobody_else_is_asked_for_a_caller_who_left(join: Join):
    """Between two servers it is seen whether the answer is still wanted."""

    class Left(Exception):
        pass

    gone = Event()

    def fail(_request: dict[str, Any]) -> tuple[int, Any]:
        gone.set()
        return 500, {}

    def check() -> None:
        if gone.is_set():
            raise Left

    with ServerProcess(fail) as first, ServerProcess(fail) as second:
        servers = join(first.url, second.url)
        with cancelled_by(check), pytest.raises(Left):
            ask(servers, "a query")

    assert len(first.requests) + len(second.requests) == 1


@pytest.mark.parametrize("urls", [(), ("http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1")])
def test_servers_are_listed_once_each(join: Join, urls: tuple[str, ...]):
    """No server at all, or one listed twice, is refused."""
    with pytest.raises(InvalidRequest, match="accepted: one or more, each once"):
        join(*urls)
