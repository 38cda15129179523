"""A plain load balancer for the tests: passes connections on, to the next server where the first does not answer."""

import asyncio
from contextlib import suppress
from threading import Thread
from typing import Self

from servers.ports import free_port


class Balancer:
    """Listens on a port of its own and passes each connection to the first of its servers that takes it.

    Attributes:
        url: of its own.
    """

    def __init__(self, *ports: int) -> None:
        self._ports = ports
        self._own = free_port()
        self.url = f"http://127.0.0.1:{self._own}"
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._leave(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", self._own)

    async def _leave(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for port in self._ports:
                with suppress(OSError):
                    server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)
                    break
            else:
                return
            # Either end that goes takes the other with it, as at a server that was killed.
            pumps = [
                asyncio.ensure_future(_pump(reader, server_writer)),
                asyncio.ensure_future(_pump(server_reader, writer)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                server_writer.close()
        finally:
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
