"""The web page: static files, one route per file."""

import asyncio
import json
from collections.abc import Sequence
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
"""By name: side in pixels, and whether the icon is maskable (filled to the edges)."""

# index.html repeats it, in case a proxy drops headers; only the header can forbid framing. The service worker's script
# has it too, because a worker's requests are subject to the policy of its own script.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "
)


@lru_cache(maxsize=256)
def _lean_code(path: Path, _changed_ns: int) -> bytes:
    return lean(path.read_text(encoding="utf-8")).encode()


def serve_page(app: FastAPI, frame_ancestors: Sequence[str] = ()) -> None:
    """Serve the files of ``web/`` at the root, ``index.html`` as ``/``, and the icons drawn from code.

    There is one route per file, because a mount at ``/`` would answer every unknown path and every wrong method with
    404, instead of 405 for a wrong method.

    Args:
        app: gets the routes.
        frame_ancestors: web origins whose pages may show this one in a frame.
    """
    policy = _POLICY + (" ".join(frame_ancestors) or "'none'")
    files = StaticFiles(directory=_FOLDER)

    async def serve_file(request: Request) -> Response:
        name = request.url.path.lstrip("/") or "index.html"
        # StaticFiles handles If-None-Match and HEAD requests.
        answer = await files.get_response(name, request.scope)
        if answer.status_code == 200 and request.method == "GET" and name.endswith((".js", ".css")):
            path = _FOLDER / name
            code = await asyncio.to_thread(_lean_code, path, path.stat().st_mtime_ns)
            answer = Response(code, media_type=answer.media_type, headers={"ETag": answer.headers["ETag"]})
        # The browser checks the ETag every time, so an update of the product is visible at once; the files are small.
        answer.headers["Cache-Control"] = "no-cache"
        answer.headers["Content-Security-Policy"] = policy
        return answer

    async def serve_manifest(request: Request) -> Response:
        """Serve the manifest; its start URL has what the page's address had, because iPhones store nothing else."""
        collection = request.query_params.get("collection")
        if not collection:
            return await serve_file(request)
        manifest = json.loads((_FOLDER / _MANIFEST).read_bytes())
        manifest["start_url"] = visitors_address(manifest["start_url"], collection)
        if "visitor" in request.query_params:
            manifest["start_url"] += "&visitor"
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
