"""``/docs``: Swagger UI over ``/openapi.json``, from files on this machine; a museum's network may not reach a CDN."""

from importlib import resources
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import Response
from starlette.staticfiles import StaticFiles


def serve_docs(app: FastAPI) -> None:
    """Serve the page and, below it, its script, style and icon."""
    files = StaticFiles(directory=Path(str(resources.files("fastapi_offline").joinpath("static"))))

    async def show(_: Request) -> Response:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url="/docs/files/swagger-ui-bundle.js",
            swagger_css_url="/docs/files/swagger-ui.css",
            swagger_favicon_url="/docs/files/favicon.png",
        )

    app.add_route("/docs", show, include_in_schema=False)
    app.mount("/docs/files", files)
