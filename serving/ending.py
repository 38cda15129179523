"""A process that cannot go on says so, and ends for its supervisor to start it anew."""

from threading import Event


class Ending:
    """Whether the process is to end, and why. Safe from any thread.

    Attributes:
        reason: None while the process is to go on.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self._is_set = Event()

    @property
    def is_asked_for(self) -> bool:
        """Whether somebody asked for it."""
        return self._is_set.is_set()

    def ask(self, reason: str) -> None:
        """Let the server stop accepting, answer what it has, and leave with an error."""
        self.reason = self.reason or reason
        self._is_set.set()
