"""Objects that belong to the process that made them."""

import os
from typing import NoReturn

from core.errors import InvalidRequest


class OneProcess:
    """Refuses use in a forked child, and pickling.

    Networks, thread pools and database connections do not survive a fork: a child that used them would wait for ever
    for threads that it does not have.
    """

    def __init__(self, owner: str) -> None:
        """Belong to this process.

        Args:
            owner: class that is guarded, for messages.
        """
        self._owner = owner
        self._process = os.getpid()

    def check(self) -> None:
        """Return in the process that made this.

        Raises:
            InvalidRequest: this is another one.
        """
        if os.getpid() != self._process:
            raise InvalidRequest(
                f"this {self._owner} was loaded in process {self._process}, and this is a fork of it; load one in each "
                "process, or start processes with multiprocessing's 'spawn'"
            )

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {self._owner} cannot be pickled; make one in each process")
