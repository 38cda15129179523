"""A real Milvus server for the tests, from the binaries of the package ``milvus``."""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from threading import Event
from typing import Self

from servers.ports import free_port

GRACEFUL_S = 0.5
"""How old the answers of a search may be; 5 s where nothing else is said."""

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)
_START_S = 90
_BINARIES = Path(tempfile.gettempdir()) / "milvus-2.3.5-binaries"  # unpacked once, which takes seconds


class MilvusServer:
    """A server with a data folder and ports of its own, which it keeps. Stops with its ``with`` block.

    Its program is started directly: ``milvus-server``, which comes with it, leaves it running when it is killed, and
    gives it other ports when the former ones are not free yet.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="milvus-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._health_port = free_port()
        self.port = free_port()

    @property
    def uri(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._prepare()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        environment = {
            **os.environ,
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(self._health_port),
            "ETCD_CONFIG_PATH": str(self._folder / "etcd.yaml"),
            "COMMON_SESSION_TTL": "3",  # seconds after which a restarted server is not taken for the killed one
            "COMMON_GRACEFULTIME": str(int(GRACEFUL_S * 1000)),
            "QUERYNODE_SEGCORE_INTERIMINDEX_ENABLEINDEX": "false",  # as docs/vector-index.md says
            "LD_LIBRARY_PATH": str(_BINARIES),
        }
        libc = ctypes.CDLL(None)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_BINARIES / "milvus", "run", "standalone"],
                cwd=self._folder,
                env=environment,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL),  # whatever ends the tests ends it
            )
        pause = Event()
        for _ in range(_START_S * 10):
            if self._is_healthy():
                return
            if self._process.poll() is not None:
                break
            pause.wait(0.1)
        raise RuntimeError(f"Milvus does not start: {(self._folder / 'log').read_text()[-2000:]}")

    def kill(self) -> None:
        """Kill it with SIGKILL; it would not heed anything less."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def save(self) -> Path:
        """Copy its data, while it is not running."""
        copy = self._folder / "saved"
        shutil.copytree(self._data, copy)
        return copy

    def restore(self, copy: Path) -> None:
        """Put the data back as they were, while it is not running."""
        shutil.rmtree(self._data)
        copy.rename(self._data)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _prepare(self) -> None:
        # Here, for importing it looks for free ports.
        from milvus import MilvusServerConfig, _initialize_data_files

        config = MilvusServerConfig(data_dir=str(self._folder), proxy_port=self.port)
        ports = [name for name in config.configurable_items if name.endswith("_port") and name != "proxy_port"]
        config.update(**{name: free_port() for name in ports})
        config.resolve()
        # Milvus' own etcd would take its usual ports, which only one server can have.
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        (self._folder / "etcd.yaml").write_text(
            f"name: default\nlisten-client-urls: {client}\nadvertise-client-urls: {client}\nlisten-peer-urls: {peer}\n"
            f"initial-advertise-peer-urls: {peer}\ninitial-cluster: default={peer}\n"
        )
        if not _BINARIES.exists():
            _initialize_data_files(str(self._folder))
            (self._folder / "bin").rename(_BINARIES)

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._health_port}/healthz", timeout=5) as answer:
                return b"OK" in answer.read()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
