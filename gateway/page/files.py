"""The web page: static files, each under a route of its own."""

import asyncio
import json
from functools import cache, lru_cache
from pathlib import Path

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles

from gateway.page.icon import draw_icon
from gateway.page.lean import lean
from gateway.page.qr import visitors_address

_FOLDER = Path(__file__).parents[1] / "web"
_MANIFEST = "manifest.webmanifest"
_ICONS = {"icon-192.png": (192, False), "icon-512.png": (512, False), "icon-maskable.png": (512, True)}
"""Name; side in pixels, and whether it is filled to the edges."""

# The same as in index.html, which keeps it where a proxy drops headers; framing can only be forbidden by the header.
# The service worker's script has it too, because the worker fetches under its own script's policy.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@lru_cache(maxsize=256)
def _lean_code(path: Path, _changed_ns: int) -> bytes:
    return lean(path.read_text(encoding="utf-8")).encode()


def serve_page(app: FastAPI) -> None:
    """Serve the files of ``web/`` at the root, ``index.html`` as ``/``, and the icons drawn from code.

    One route per file rather than a mount at ``/``: a mount would swallow every unknown path and every wrong method
    and answer them 404, where 405 is the truth.
    """
    files = StaticFiles(directory=_FOLDER)

    async def serve_file(request: Request) -> Response:
        name = request.url.path.lstrip("/") or "index.html"
        # StaticFiles knows whether the browser has it already, and what a HEAD request is answered.
        answer = await files.get_response(name, request.scope)
        if answer.status_code == 200 and request.method == "GET" and name.endswith((".js", ".css")):
            path = _FOLDER / name
            code = await asyncio.to_thread(_lean_code, path, path.stat().st_mtime_ns)
            answer = Response(code, media_type=answer.media_type, headers={"ETag": answer.headers["ETag"]})
        # Small files, checked by ETag each time: an update of the product shows at once.
        answer.headers["Cache-Control"] = "no-cache"
        answer.headers["Content-Security-Policy"] = _POLICY
        return answer

    async def serve_manifest(request: Request) -> Response:
        """Installed by a visitor of one collection, the page starts with that one: iPhones keep nothing else for it."""
        collection = request.query_params.get("collection")
        if not collection:
            return await serve_file(request)
        manifest = json.loads((_FOLDER / _MANIFEST).read_bytes())
        manifest["start_url"] = visitors_address(manifest["start_url"], collection)
        return JSONResponse(manifest, headers={"Cache-Control": "no-cache"}, media_type="application/manifest+json")

    draw_once = cache(draw_icon)

    async def serve_icon(request: Request) -> Response:
        side, maskable = _ICONS[request.url.path.lstrip("/")]
        drawn = await asyncio.to_thread(draw_once, side, maskable=maskable)
        return Response(drawn, media_type="image/png", headers={"Cache-Control": "max-age=86400"})

    for name in _ICONS:
        app.add_route(f"/{name}", serve_icon, include_in_schema=False)
    app.add_route("/", serve_file, include_in_schema=False)
    for path in sorted(_FOLDER.rglob("*")):
        if path.is_file():
            serve = serve_manifest if path.name == _MANIFEST else serve_file
            app.add_route(f"/{path.relative_to(_FOLDER).as_posix()}", serve, include_in_schema=False)
