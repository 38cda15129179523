"""What a service does when its device is lost: it is ready no more, and its process ends to be started anew."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from fastapi import FastAPI

from core.errors import DeviceLost
from core.runtime.devices import noticing_lost_devices

Watch = Callable[[], AbstractContextManager[None]]
"""Put around what may use the device."""


@contextmanager
def ending_where_lost(app: FastAPI) -> Iterator[None]:
    """Run what may use the device; where it turns out to be lost, end the process.

    Raises:
        DeviceLost: it is.
    """
    try:
        with noticing_lost_devices():
            yield
    except DeviceLost as lost:
        app.state.loading.give_up(lost)
        app.state.ending.ask(str(lost))
        raise
