"""Ends a process that cannot continue, so that its supervisor restarts it."""

from threading import Event


class Ending:
    """Whether the process is to end, and why. Thread-safe.

    Attributes:
        reason: why the process is to end; None while it is not.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self._is_set = Event()

    @property
    def is_asked_for(self) -> bool:
        """Whether the process is to end."""
        return self._is_set.is_set()

    def ask(self, reason: str) -> None:
        """Let the server stop accepting requests, answer the running ones, and exit with an error."""
        self.reason = self.reason or reason
        self._is_set.set()
