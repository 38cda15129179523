"""Ends a process whose device is lost, so that it is restarted; until then it reports that it is not ready."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from fastapi import FastAPI

from core.errors import DeviceLost
from core.runtime.devices import noticing_lost_devices

Watch = Callable[[], AbstractContextManager[None]]
"""A context manager around code that may use the device."""


@contextmanager
def ending_where_lost(app: FastAPI) -> Iterator[None]:
    """Run code that may use the device; if the device is lost, end the process.

    Raises:
        DeviceLost: the device is lost.
    """
    try:
        with noticing_lost_devices():
            yield
    except DeviceLost as lost:
        app.state.loading.give_up(lost)
        app.state.ending.ask(str(lost))
        raise
