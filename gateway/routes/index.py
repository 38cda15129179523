"""The gallery's routes, passed on to the retrieval service as they come. Declared here for the documentation."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from contracts.images import (
    IMAGE_ID_PATTERN,
    AddFields,
    AddReply,
    CollectionList,
    ImageBody,
    ImageChangeBody,
    ImageFilter,
    ImagePageBody,
    KnownQuestion,
    KnownReply,
    PlaceFilter,
    PlacePageBody,
)
from gateway.routes.forwarding import GatewayDependency, forward
from serving.openapi import error_answers, form_body, json_body
from serving.roles import Role, requires
from serving.uploads import read_body

router = APIRouter(prefix="/index", tags=["gallery"], responses=error_answers(401, 403, 429))

ImageId = Annotated[str, Path(alias="image_id", pattern=IMAGE_ID_PATTERN)]
_MAX_CHANGE_BYTES = 1024 * 1024


@router.post(
    "/images",
    response_model=AddReply,
    summary="Add photos to the gallery",
    description=(
        "One or many `file` parts with the same fields, or one ZIP archive with a folder per place or a "
        "`manifest.csv`. Every file has its own outcome: `added`, `duplicate` (the collection already "
        "has the same bytes) or `rejected` with the reason. A rejected file does not affect the others."
    ),
    responses=error_answers(408, 409, 413, 422, 503, 504),
    openapi_extra=form_body(AddFields, file="Photos, or ZIP archives of photos; `files` works as well.", several=True),
)
@requires(Role.MANAGE)
async def add_images(request: Request, gateway: GatewayDependency) -> Response:
    """Stream the upload through, unread."""
    return await forward(request, gateway, timeout_s=gateway.settings.upload_timeout_s)


@router.post(
    "/known",
    response_model=KnownReply,
    summary="Which of these photos does the collection have?",
    description="Lets a client resume an upload. A collection that does not exist has none of them.",
    responses=error_answers(408, 413, 422, 503),
    openapi_extra=json_body(KnownQuestion),
)
@requires(Role.MANAGE)
async def tell_known(request: Request, gateway: GatewayDependency) -> Response:
    """Tell by content: names and places do not matter."""
    with gateway.body_slots.admit() as incoming:
        body = await read_body(request, incoming, _MAX_CHANGE_BYTES)
    return await forward(request, gateway, body=body)


@router.get(
    "/images", response_model=ImagePageBody, summary="List gallery images", responses=error_answers(404, 422, 503)
)
@requires(Role.MANAGE)
async def list_images(
    request: Request, gateway: GatewayDependency, _filter: Annotated[ImageFilter, Query()]
) -> Response:
    """List images, oldest first, page by page; `q` looks in file names and place names."""
    return await forward(request, gateway)


@router.get(
    "/images/{image_id}", response_model=ImageBody, summary="One gallery image", responses=error_answers(404, 422, 503)
)
@requires(Role.MANAGE)
async def get_image(request: Request, _image_id: ImageId, gateway: GatewayDependency) -> Response:
    """One image and the place that it shows."""
    return await forward(request, gateway)


@router.get(
    "/images/{image_id}/file",
    response_class=Response,
    summary="The original photo, as it was uploaded",
    responses={200: {"content": {"image/*": {}}}, **error_answers(404, 422, 503)},
)
@requires(Role.MATCH)
async def get_original(request: Request, _image_id: ImageId, gateway: GatewayDependency) -> Response:
    """The photo as it was sent, byte for byte."""
    return await forward(request, gateway)


@router.get(
    "/images/{image_id}/preview",
    response_class=Response,
    summary="A small JPEG of the photo",
    responses={200: {"content": {"image/jpeg": {}}}, **error_answers(404, 422, 503)},
)
@requires(Role.MATCH)
async def get_preview(request: Request, _image_id: ImageId, gateway: GatewayDependency) -> Response:
    """A small JPEG of the photo, without any metadata."""
    return await forward(request, gateway)


@router.patch(
    "/images/{image_id}",
    response_model=ImageBody,
    summary="Change what an image shows",
    description="Fields that are not sent stay unchanged. `place_id` moves the image to another place; the other "
    "fields change the place that it then shows.",
    responses=error_answers(404, 408, 413, 422, 503),
    openapi_extra=json_body(ImageChangeBody),
)
@requires(Role.MANAGE)
async def change_image(request: Request, _image_id: ImageId, gateway: GatewayDependency) -> Response:
    """Change what the image shows: `place_id` moves it, the other fields change its place for all its images."""
    with gateway.body_slots.admit() as incoming:
        body = await read_body(request, incoming, _MAX_CHANGE_BYTES)
    return await forward(request, gateway, body=body)


@router.delete("/images/{image_id}", status_code=204, summary="Remove an image", responses=error_answers(404, 422, 503))
@requires(Role.MANAGE)
async def delete_image(request: Request, _image_id: ImageId, gateway: GatewayDependency) -> Response:
    """Remove the image. When this has been answered, the image is never found again."""
    return await forward(request, gateway)


@router.get("/places", response_model=PlacePageBody, summary="List places", responses=error_answers(404, 422, 503))
@requires(Role.MATCH)
async def list_places(
    request: Request, gateway: GatewayDependency, _filter: Annotated[PlaceFilter, Query()]
) -> Response:
    """List places by name, page by page; `q` looks in names and ids."""
    return await forward(request, gateway)


@router.get("/collections", response_model=CollectionList, summary="List collections", responses=error_answers(503))
@requires(Role.MATCH)
async def list_collections(request: Request, gateway: GatewayDependency) -> Response:
    """List the collections, with how much each holds."""
    return await forward(request, gateway)
