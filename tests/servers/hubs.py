"""Model hubs on this machine, and a model's files to publish there."""

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
from safetensors.numpy import save_file

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def write_model(folder: Path, seed: int = 0, **config: object) -> Path:
    """A model's files, of 2 x 40,000 random numbers."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    tensors = {name: rng.normal(size=(200, 200)).astype(np.float32) for name in ("a.weight", "b.weight")}
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "dinov3_vit", "rope_theta": 100.0} | config))
    return folder


class Answering(BaseHTTPRequestHandler):
    """Answers with a status, a body and headers, and logs nothing."""

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


class HuggingFace(Answering):
    """Answers as Hugging Face or its mirror does: ``open/model`` is handed out, everything else is gated."""

    folder: Path
    size: int | None = None
    """Of the weights, as it is announced."""

    def do_GET(self) -> None:
        """Answer a question about the model, or give a file of it."""
        path = self.path.partition("?")[0]
        if "open/model" not in path:
            self.answer(403, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted."})
        elif "/tree/" in path:
            files = [
                {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": file.name}
                for file in self.folder.iterdir()
            ]
            self.answer(200, json.dumps(files).encode(), {"Content-Type": "application/json"})
        elif path.startswith("/api/"):
            files = [{"rfilename": file.name} for file in self.folder.iterdir()]
            body = {"id": "open/model", "sha": COMMIT, "siblings": files, "private": False, "tags": [], "downloads": 0}
            self.answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})
        else:
            name = Path(path).name
            content = (self.folder / name).read_bytes()
            size = self.size if self.size and name.endswith(".safetensors") else len(content)
            self.answer(
                200,
                self.damaged(content),
                {
                    "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
                    "X-Repo-Commit": COMMIT,
                    "X-Linked-Size": f"{size}",
                },
            )

    do_HEAD = do_GET

    def damaged(self, content: bytes) -> bytes:
        """What arrives of a file."""
        return content


class ModelScope(Answering):
    """Answers as ModelScope does: ``open/model`` is handed out, everything else is refused.

    Attributes:
        folder: of the model's files.
        requests: path, Range and Cookie of all requests.
        send: sends the rest of the weights in its own way; None sends all of it.
        listed: changes an entry of the list of files.
        ranges: whether a part of a file may be asked for.
    """

    folder: Path
    requests: list[tuple[str, str | None, str | None]]
    send: Callable[["ModelScope", bytes], None] | None = None
    listed: dict[str, object]
    ranges = True

    def do_GET(self) -> None:
        """List the files, redirect to the storage, or send a file from there."""
        path = urlsplit(self.path)
        self.requests.append((path.path, self.headers["Range"], self.headers["Cookie"]))
        if path.path == "/api/v1/models/open/model/repo/files":
            self.answer(200, json.dumps({"Code": 200, "Success": True, "Data": {"Files": self._listing()}}).encode())
        elif path.path == "/api/v1/models/open/model/repo":
            (name,) = parse_qs(path.query)["FilePath"]
            self.answer(302, b"", {"Location": f"/storage/{name}"})
        elif path.path.startswith("/storage/"):
            self._send((self.folder / Path(path.path).name).read_bytes())
        else:
            self.answer(403, json.dumps({"Code": 403, "Success": False, "Message": "forbidden"}).encode())

    def _listing(self) -> list[dict[str, object]]:
        entries: list[dict[str, object]] = [{"Type": "tree", "Path": "figures", "Name": "figures", "Size": 0}]
        for file in sorted(self.folder.iterdir()):
            content = file.read_bytes()
            entry = {"Type": "blob", "Path": file.name, "Name": file.name, "Size": len(content)}
            entry["Sha256"] = hashlib.sha256(content).hexdigest()
            entries.append(entry | (self.listed if file.suffix == ".safetensors" else {}))
        return entries

    def _send(self, content: bytes) -> None:
        asked = self.headers["Range"]
        begun = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        rest = content[begun:]
        if self.send is None or not self.path.endswith(".safetensors"):
            self.answer(206 if begun else 200, rest)
            return
        self.send_response(206 if begun else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.send(rest)


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address at which a handler answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def silent_server() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
