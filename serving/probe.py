"""Asks a process how it is: ``python -m serving.probe URL`` ends with 0 if the answer is 200, else with 1 and why.

What the containers' health checks run. Only the standard library, because it starts every few seconds.
"""

import sys
from collections.abc import Sequence
from http.client import HTTPException, HTTPResponse
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

TIMEOUT_S = 4.0


def ask(url: str) -> HTTPResponse:
    """Get an answer from a process on this machine: through no proxy, whatever the environment says.

    Raises:
        HTTPError: an answer other than success; it can be read like one.
        OSError: nobody answers.
        HTTPException: what answers speaks no HTTP.
        ValueError: no URL.
    """
    answer: HTTPResponse = build_opener(ProxyHandler({})).open(url, timeout=TIMEOUT_S)
    return answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask once."""
    urls = sys.argv[1:] if arguments is None else arguments
    if len(urls) != 1:
        sys.stderr.write("usage: python -m serving.probe URL\n")
        return 2
    try:
        with ask(urls[0]) as answer:
            return 0 if answer.status == 200 else 1
    except HTTPError as error:
        with error:
            sys.stderr.write(f"{urls[0]} answers {error.code}: {error.read(2000).decode(errors='replace')}\n")
    except (OSError, HTTPException, ValueError) as error:
        sys.stderr.write(f"{urls[0]} cannot be asked: {error}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
