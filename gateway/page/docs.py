"""``/docs``: Swagger UI for ``/openapi.json``, from local files, because a museum's network may not reach a CDN."""

import re
from base64 import b64encode
from hashlib import sha256
from importlib import resources
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import Response
from starlette.staticfiles import StaticFiles


def serve_docs(app: FastAPI) -> None:
    """Serve the page and, below it, its script, style and icon."""
    files = StaticFiles(directory=Path(str(resources.files("fastapi_offline").joinpath("static"))))

    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=app.title,
        swagger_js_url="docs/files/swagger-ui-bundle.js",
        swagger_css_url="docs/files/swagger-ui.css",
        swagger_favicon_url="docs/files/favicon.png",
    )
    page.headers["Content-Security-Policy"] = _policy(bytes(page.body))

    async def show(_: Request) -> Response:
        return page

    app.add_route("/docs", show, include_in_schema=False)
    app.mount("/docs/files", files)


def _policy(page: bytes) -> str:
    """Build the content security policy: the page's files, the document, the style's images, and its script by hash."""
    scripts = [sha256(script).digest() for script in re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)]
    hashes = " ".join(f"'sha256-{b64encode(digest).decode()}'" for digest in scripts)
    return (
        f"default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
