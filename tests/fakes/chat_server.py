"""A small real server of chat completions on a local port, well-behaved or not."""

import base64
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from socket import SHUT_RDWR, socket
from threading import Lock, Thread
from typing import Any

from fakes.naive_qwen import NaiveQwen
from PIL import Image

Answer = Callable[[dict[str, Any]], tuple[int, Any]]
"""From a request's JSON to a status and a body: bytes as they are, anything else as JSON."""


class ChatServer:
    """Serves ``answer`` at ``/v1/chat/completions``, and a list of models, between entering and leaving the context.

    Answers come with ``headers``.

    Attributes:
        requests: the JSON of every request so far.
        headers: their headers.
        checks: how often the list of models was asked for.
        health: status that this list is answered with.
    """

    def __init__(self, answer: Answer, headers: Mapping[str, str] | None = None) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.checks = 0
        self.health = 200
        chat = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else a body waits 40 ms for the head's acknowledgement

            def setup(self) -> None:
                super().setup()
                chat._connections.append(self.connection)

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                chat.requests.append(request)
                chat.headers.append(dict(self.headers))
                status, body = answer(request) if self.path == "/v1/chat/completions" else (404, {})
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self) -> None:
                content = b'{"object": "list", "data": [{"id": "tiny", "object": "model"}]}'
                chat.checks += 1
                self.send_response(chat.health)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64  # connections beyond it would wait a second for their second try

            def handle_error(self, *_: Any) -> None:
                pass  # of a killed server's connections

        self._connections: list[socket] = []
        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        """As the verifier's setting wants it."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> "ChatServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def kill(self) -> None:
        """End as a killed process does: no connection is left open, and what is being answered never will be."""
        self.__exit__()
        for connection in self._connections:
            with suppress(OSError):  # closed already
                connection.shutdown(SHUT_RDWR)


class QwenAnswers:
    """Answers as vLLM does: the same prompt, the same model, the likeliest tokens with their logarithms."""

    def __init__(self, model: NaiveQwen, max_tokens: int) -> None:
        self._model = model
        self._max_tokens = max_tokens
        self._lock = Lock()

    def __call__(self, request: dict[str, Any]) -> tuple[int, Any]:
        """Complete one request."""
        messages = request["messages"]
        images = [
            read_data_uri(part["image_url"]["url"])
            for message in messages
            if isinstance(message["content"], list)
            for part in message["content"]
            if part["type"] == "image_url"
        ]
        with self._lock:
            if not request.get("logprobs"):
                text = self._model.generate(messages, images, self._max_tokens, request["max_tokens"])
                return 200, completion(text)
            values, tokens = self._model.logprobs(messages, images, self._max_tokens).topk(request["top_logprobs"])
        words = [self._model.tokenizer.decode([token]) for token in tokens.tolist()]
        return 200, completion(words[0], list(zip(words, values.tolist(), strict=True)))


def completion(text: str, top: list[tuple[str, float]] | None = None) -> dict[str, Any]:
    """The body of a reply, with the likeliest first tokens or without."""
    choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    if top is not None:
        likeliest = [{"token": token, "logprob": logprob} for token, logprob in top]
        choice["logprobs"] = {"content": [{"token": text, "logprob": top[0][1], "top_logprobs": likeliest}]}
    return {"object": "chat.completion", "choices": [choice]}


def read_data_uri(uri: str) -> Image.Image:
    """The picture in a data URI."""
    return Image.open(BytesIO(base64.b64decode(uri.split(",", 1)[1]))).convert("RGB")
