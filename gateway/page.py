"""The web page: static files, each under a route of its own."""

from pathlib import Path

from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

_FOLDER = Path(__file__).parent / "web"


def serve_page(app: FastAPI) -> None:
    """Serve the files of ``web/`` at the root, ``index.html`` as ``/``.

    One route per file rather than a mount at ``/``: a mount would swallow every unknown path and every wrong method
    and answer them 404, where 405 is the truth.
    """
    files = StaticFiles(directory=_FOLDER)

    async def serve_file(request: Request) -> Response:
        name = request.url.path.lstrip("/") or "index.html"
        answer = await files.get_response(name, request.scope)
        # Small files, checked by ETag each time: an update of the product shows at once.
        answer.headers["Cache-Control"] = "no-cache"
        return answer

    app.add_route("/", serve_file, include_in_schema=False)
    for path in sorted(_FOLDER.rglob("*")):
        if path.is_file():
            app.add_route(f"/{path.relative_to(_FOLDER).as_posix()}", serve_file, include_in_schema=False)
