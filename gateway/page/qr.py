"""QR codes of the address that visitors open."""

from io import BytesIO
from typing import Annotated
from urllib.parse import quote

import segno
from fastapi import APIRouter, Path, Request, Response

from contracts.collections import MAX_COLLECTION
from serving.openapi import error_answers, file_answer
from serving.path_prefix import link
from serving.roles import Role, requires

router = APIRouter(prefix="/collections", tags=["collections"], responses=error_answers(401, 403, 429))

_QUIET_MODULES = 4  # width of the quiet zone, ISO/IEC 18004


def visitors_address(page: str, collection: str) -> str:
    """Return the address of a collection's match page.

    >>> visitors_address("https://museum.example/", "east hall")
    'https://museum.example/?collection=east%20hall'
    """
    return f"{page}?collection={quote(collection, safe='')}"


def qr_svg(text: str) -> bytes:
    """Draw a QR code: an SVG, black on white, with the text as its title; readable with a quarter of it covered."""
    drawn = BytesIO()
    code = segno.make_qr(text, error="q", boost_error=False)
    code.save(drawn, kind="svg", border=_QUIET_MODULES, dark="#000", light="#fff", title=text, omitsize=True)
    return drawn.getvalue()


@router.get(
    "/{collection:path}/qr.svg",  # a collection's name may hold a slash
    response_class=Response,
    summary="A QR code that opens the page for visitors of a collection",
    responses={**file_answer("image/svg+xml"), **error_answers(404, 422)},
)
@requires(Role.MATCH)
async def get_qr_code(
    request: Request, collection: Annotated[str, Path(min_length=1, max_length=MAX_COLLECTION)]
) -> Response:
    """Draw the code of the address by which the caller reached this page; test it on a visitor's network first."""
    page = f"{str(request.base_url).rstrip('/')}{link('/')}"
    return Response(qr_svg(visitors_address(page, collection)), media_type="image/svg+xml")
