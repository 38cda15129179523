"""Several servers of one model, used like one.

All requests of one query go to the same server, whose prefix cache holds what they share. The server is chosen by
highest random weight (rendezvous) hashing (Thaler and Ravishankar 1998): if a server is added or removed, only its own
queries move. A server that is clearly busier than another is skipped. A server that fails gets no requests for a while;
the others get them. A request that fails at a second server too is considered faulty itself. A thread checks every few
seconds which servers answer.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import Any
from weakref import ReferenceType, finalize, ref

from core.errors import InvalidRequest, NoVerdict
from core.runtime.cancellation import raise_if_cancelled
from core.verifiers.base import ServerState
from core.verifiers.chat.chat_server import ChatServer, ServerFailed

CHECK_EVERY_S = 5.0
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 60.0
LONGEST_WAIT_S = 5.0
_SHORTEST_WAIT_S = 0.2
QUERIES_IN_DOUBT = 3
"""After so many queries in a row with an error, the server is considered faulty, not the queries."""

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Member:
    """A server and its state.

    Attributes:
        server: the client.
        in_flight: requests without an answer yet.
        answered: number of answered requests.
        failed: number of failed requests and checks.
        reason: why it is skipped; None while it gets requests.
        returns_s: when it may get requests again.
        pause_s: how long it is skipped after its next failure.
        is_on_trial: since its failure it answered a check, but no request yet; it gets one request at a time.
        heard_s: when it answered last.
        doubtful: queries that failed with an error since its last good answer.
    """

    server: ChatServer
    in_flight: int = 0
    answered: int = 0
    failed: int = 0
    reason: str | None = None
    returns_s: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    is_on_trial: bool = False
    heard_s: float = -float("inf")
    doubtful: set[str] = field(default_factory=set)

    @property
    def has_room(self) -> bool:
        return self.reason is None and not (self.is_on_trial and self.in_flight)


class ChatServers:
    """One or more servers. Several threads may share them."""

    def __init__(
        self,
        servers: Sequence[ChatServer],
        *,
        timeout_s: float,
        busier_by: int,
        check_every_s: float = CHECK_EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the thread that checks the servers.

        Args:
            servers: all of the same model; closed together with this.
            timeout_s: for one answer, over all servers tried; a server gets half of it while another one is left.
            busier_by: how many more requests in flight a query's own server may have than the least busy server.
            check_every_s: seconds between two rounds of checks.
            clock: monotonic, in seconds.

        Raises:
            InvalidRequest: no server is given, or one is given twice.
        """
        urls = [server.url for server in servers]
        if not urls or len(set(urls)) < len(urls):
            names = [server.name for server in servers]  # not the URLs, which may hold a password
            raise InvalidRequest(f"url names the servers {names}; accepted: one or more, each once")
        self._members = [_Member(server) for server in servers]
        self._timeout_s = timeout_s
        self._busier_by = busier_by
        self._check_every_s = check_every_s
        self._clock = clock
        self._lock = Lock()
        self._closing = Event()
        # The thread holds a weak reference only, so unclosed servers are freed with their last user.
        arguments = (ref(self), self._closing, check_every_s)
        self._checking = Thread(target=_keep_checking, args=arguments, name="verifier-servers", daemon=True)
        finalize(self, self._closing.set)
        self._checking.start()

    @property
    def states(self) -> list[ServerState]:
        """Return the state of all servers."""
        with self._lock:
            return [
                ServerState(member.server.name, member.reason, member.in_flight, member.answered, member.failed)
                for member in self._members
            ]

    def complete(self, messages: Sequence[Mapping[str, Any]], *, query_key: str, **options: Any) -> Any:
        """Request one greedy completion; see ``ChatServer.complete``.

        Args:
            messages: the conversation.
            query_key: equal for all requests with the same beginning.
            options: further fields of the request.

        Raises:
            NoVerdict: this request cannot be answered.
            BackendUnavailable: no server answered; the message is that of the last one tried.
        """
        until_s = self._clock() + self._timeout_s
        tried: list[_Member] = []
        in_doubt: list[tuple[_Member, ServerFailed]] = []
        while True:
            raise_if_cancelled()
            member, is_last = self._take(query_key, tried)
            left_s = until_s - self._clock()
            try:
                answer = member.server.complete(messages, timeout_s=left_s if is_last else left_s / 2, **options)
            except ServerFailed as failure:
                tried.append(member)
                if failure.may_be_the_requests and self._is_in_doubt(member, query_key):
                    in_doubt.append((member, failure))
                    if is_last or len(in_doubt) > 1:
                        raise NoVerdict(str(failure)) from failure
                    continue
                if is_last and self._may_wait(failure, until_s):
                    tried.remove(member)
                    continue
                self._note_failure(member, failure)
                if is_last or self._clock() >= until_s:
                    raise
            else:
                for other, doubt in in_doubt:  # this server could answer, so the failures were theirs
                    self._note_failure(other, doubt)
                self._note_answer(member)
                return answer
            finally:
                with self._lock:
                    member.in_flight -= 1

    def check(self) -> None:
        """Check the servers that are neither paused nor busy and have not answered since the last round.

        A busy server may answer a check late; its requests show whether it works.
        """
        for member in self._members:
            now_s = self._clock()
            is_resting = member.reason is not None and now_s < member.returns_s
            is_asked = member.reason is None and member.in_flight > 0
            if is_resting or is_asked or now_s - member.heard_s < self._check_every_s:
                continue
            try:
                member.server.check(self._check_every_s)
            except ServerFailed as failure:
                self._note_failure(member, failure)
            else:
                self._note_check(member)

    def close(self) -> None:
        """Stop checking and close the connections."""
        self._closing.set()  # the thread is not joined: a check may hang for seconds
        for member in self._members:
            member.server.close()

    def _take(self, query_key: str, tried: Sequence[_Member]) -> tuple[_Member, bool]:
        """Choose a server and count the request. Also tell whether it is the last one to try."""
        with self._lock:
            untried = [known for known in self._members if known not in tried]
            # If all servers have failed, they are tried anyway: one may work again.
            choice = [candidate for candidate in untried if candidate.has_room] or untried
            least = min(candidate.in_flight for candidate in choice)
            near = [candidate for candidate in choice if candidate.in_flight < least + self._busier_by]
            member = max(near, key=lambda candidate: _weight(query_key, candidate.server.url))
            member.in_flight += 1
            others = [other for other in untried if other is not member]
            # A failed server is tried first at most, never as the second one.
            return member, not any(other.reason is None for other in others)

    def _is_in_doubt(self, member: _Member, query_key: str) -> bool:
        """Tell whether this query may have caused the failure: the server has not failed at too many queries."""
        with self._lock:
            if len(member.doubtful) < QUERIES_IN_DOUBT:
                member.doubtful.add(query_key)
            return member.reason is None and len(member.doubtful) < QUERIES_IN_DOUBT

    def _may_wait(self, failure: ServerFailed, until_s: float) -> bool:
        """Wait as long as a busy server asked for; False if the time is not enough."""
        wait_s = failure.retry_after_s
        if wait_s is None or wait_s > LONGEST_WAIT_S or self._clock() + wait_s >= until_s:
            return False
        return not self._closing.wait(max(wait_s, _SHORTEST_WAIT_S))

    def _note_answer(self, member: _Member) -> None:
        with self._lock:
            member.answered += 1
            member.doubtful.clear()
            member.reason, member.is_on_trial, member.pause_s = None, False, FIRST_PAUSE_S
            member.heard_s = self._clock()

    def _note_check(self, member: _Member) -> None:
        with self._lock:
            if member.reason is not None:
                logger.info("server %s answers again", member.server.name)
                member.reason, member.is_on_trial = None, True
            member.heard_s = self._clock()

    def _note_failure(self, member: _Member, failure: ServerFailed) -> None:
        with self._lock:
            member.failed += 1
            now_s = self._clock()
            # Requests that were in flight together fail together; they count as one failure.
            if member.reason is None or now_s >= member.returns_s:
                if member.reason is None:
                    logger.warning("skipping a server for %.0f s: %s", member.pause_s, failure)
                member.returns_s = now_s + member.pause_s
                member.pause_s = min(2 * member.pause_s, LONGEST_PAUSE_S)
            member.reason, member.heard_s = str(failure), -float("inf")


def _keep_checking(servers: "ReferenceType[ChatServers]", closing: Event, every_s: float) -> None:
    while not closing.wait(every_s):
        checked = servers()
        if checked is None:
            return
        with suppress(RuntimeError):  # the client was closed meanwhile
            checked.check()
        del checked


def _weight(query_key: str, url: str) -> bytes:
    return hashlib.sha256(f"{query_key} {url}".encode()).digest()
