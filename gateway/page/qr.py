"""QR codes of the addresses that visitors open: of a collection's match page, and of an exhibit's page."""

from io import BytesIO
from typing import Annotated
from urllib.parse import quote

import segno
from fastapi import Depends, Path, Query, Request, Response

from contracts.collections import MAX_COLLECTION
from contracts.images import MAX_PLACE_ID
from gateway.dependencies import Gateway, get_gateway
from serving.auth.restriction import get_restriction
from serving.openapi import error_answers, file_answer
from serving.path_prefix import link
from serving.roles import Role, requires
from serving.routers import Router

router = Router(prefix="/collections", tags=["collections"], responses=error_answers(401, 403, 429))

_QUIET_MODULES = 4  # width of the quiet zone, ISO/IEC 18004
_PIXELS_PER_MODULE = 20  # about 1,000 pixels altogether

CollectionPath = Annotated[str, Path(min_length=1, max_length=MAX_COLLECTION)]
ExhibitQuery = Annotated[
    str | None,
    Query(min_length=1, max_length=MAX_PLACE_ID, description="id of a place: the code opens its page for visitors"),
]


def visitors_address(page: str, collection: str, place: str | None = None) -> str:
    """Return the address of a collection's match page, or of the page of a place.

    >>> visitors_address("https://museum.example/", "east hall")
    'https://museum.example/?collection=east%20hall'
    >>> visitors_address("https://museum.example/", "east", "01/a")
    'https://museum.example/?collection=east&place=01%2Fa'
    """
    address = f"{page}?collection={quote(collection, safe='')}"
    return address if place is None else f"{address}&place={quote(place, safe='')}"


async def _code(
    request: Request,
    gateway: Annotated[Gateway, Depends(get_gateway)],
    collection: CollectionPath,
    restriction: Annotated[tuple[str, ...] | None, Depends(get_restriction)],
    place: ExhibitQuery = None,
) -> tuple[segno.QRCode, str]:
    """Return the code and its address; it is readable with a quarter of it covered."""
    if restriction is not None:
        await gateway.pipeline.retrieval.check_collection(collection)
    page = gateway.settings.public_url or str(request.base_url).rstrip("/") + link("")
    address = visitors_address(f"{page}/", collection, place)
    return segno.make_qr(address, error="q", boost_error=False), address


Code = Annotated[tuple[segno.QRCode, str], Depends(_code)]


def _drawn(code: segno.QRCode, kind: str, **options: object) -> bytes:
    file = BytesIO()
    code.save(file, kind=kind, border=_QUIET_MODULES, dark="#000", light="#fff", **options)
    return file.getvalue()


@router.get(
    "/{collection:path}/qr.svg",  # a collection's name may hold a slash
    response_class=Response,
    summary="A QR code that opens the page for visitors of a collection, or of a place",
    responses={**file_answer("image/svg+xml"), **error_answers(404, 422, 503, 504)},
)
@requires(Role.MATCH)
async def get_qr_code(code: Code) -> Response:
    """Draw the code of `GATEWAY_PUBLIC_URL`, or else of the caller's own address of this server; it is the title."""
    return Response(_drawn(code[0], "svg", title=code[1], omitsize=True), media_type="image/svg+xml")


@router.get(
    "/{collection:path}/qr.png",
    response_class=Response,
    summary="The same QR code as PNG",
    responses={**file_answer("image/png"), **error_answers(404, 422, 503, 504)},
)
@requires(Role.MATCH)
async def get_qr_code_png(code: Code) -> Response:
    """Draw it with 20 pixels for every module."""
    return Response(_drawn(code[0], "png", scale=_PIXELS_PER_MODULE), media_type="image/png")
