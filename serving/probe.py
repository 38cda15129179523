"""The health check of containers: ``python -m serving.probe URL`` exits with 0 if the answer is 200, else with 1.

While a model is loaded for the first time, which may take an hour, it waits; for Docker the container is then
"starting". If the model cannot be loaded, the container becomes unhealthy, and ``docker compose up --wait`` ends. A
number after the URL is the number of seconds to wait while nothing listens yet, because imports take time on a busy
machine. It uses only the standard library, because it starts every few seconds.
"""

import json
import sys
import time
from collections.abc import Sequence
from http.client import HTTPException, HTTPResponse
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

TIMEOUT_S = 4.0
_PAUSE_S = 1.0


def ask(url: str) -> HTTPResponse:
    """Get an answer from a process on this machine, without a proxy whatever the environment says.

    Raises:
        HTTPError: an answer other than success; it can be read like one.
        OSError: nothing answers.
        HTTPException: the answer is not HTTP.
        ValueError: ``url`` is not a URL.
    """
    answer: HTTPResponse = build_opener(ProxyHandler({})).open(url, timeout=TIMEOUT_S)
    return answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Check once; return the exit status."""
    urls = sys.argv[1:] if arguments is None else arguments
    if len(urls) not in {1, 2} or not all(url.isdigit() for url in urls[1:]):
        sys.stderr.write("usage: python -m serving.probe URL [SECONDS]\n")
        return 2
    listening_by = time.monotonic() + float("".join(urls[1:]) or 0)
    while True:
        try:
            with ask(urls[0]) as answer:
                return 0 if answer.status == 200 else 1
        except HTTPError as error:
            with error:
                body = error.read(2000)
            if not _says_loading(body):
                sys.stderr.write(f"{urls[0]} answers {error.code}: {body.decode(errors='replace')}\n")
                return 1
        except (OSError, HTTPException, ValueError) as error:
            if not _is_refusal(error) or time.monotonic() >= listening_by:
                sys.stderr.write(f"{urls[0]} cannot be reached: {error}\n")
                return 1
        time.sleep(_PAUSE_S)


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, URLError) and isinstance(error.reason, ConnectionRefusedError)


def _says_loading(body: bytes) -> bool:
    try:
        return bool(json.loads(body)["loading"])
    except (ValueError, KeyError, TypeError):
        return False


if __name__ == "__main__":
    sys.exit(main())
