"""The ``/index`` routes: list and change the gallery's images and places."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import Depends, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from contracts.collections import CollectionParams
from contracts.images import (
    AddFields,
    AddReply,
    CollectionList,
    ImageBody,
    ImageChangeBody,
    ImageFilter,
    ImagePageBody,
    KnownQuestion,
    KnownReply,
    MoveReply,
    MoveRequest,
    PlaceFilter,
    PlacePageBody,
)
from contracts.trash import DeleteParams
from contracts.upload_plans import ManifestParams, PlanQuestion, PlanReply, TemplateParams
from core.building.export import export_archive, export_manifest
from core.building.manifests import MANIFEST, manifest_template
from core.gallery import Gallery
from core.gallery.tags import image_tag
from services.retrieval.allowed import Allowed, ImageId
from services.retrieval.dependencies import Audit, Service, Settings
from services.retrieval.repeated_writes import hash_form
from services.retrieval.replies.editing import Expected, deletion_answer, entity_tag, read_tags
from services.retrieval.replies.gallery import (
    add_reply,
    change_from_body,
    collection_list,
    image_body,
    image_page,
    place_page,
    place_summary,
)
from services.retrieval.replies.photos import media_answer, open_original, open_preview
from services.retrieval.replies.plans import answer_plan
from services.retrieval.uploads.corrections import correct_texts
from services.retrieval.uploads.forms import read_upload
from services.retrieval.uploads.quality import find_faults
from serving.auth.restriction import OPEN_TO_RESTRICTED
from serving.idempotency import KEY_HEADER, accept_idempotency_key
from serving.openapi import error_answers, file_answer, form_body
from serving.routers import Router
from serving.uploads import open_form, parse_fields, uploaded_files

Page = TypeVar("Page")

router = Router(prefix="/index", tags=["gallery"])


@router.post(
    "/images",
    response_model=AddReply,
    summary="Add photos to the gallery",
    description="See the gateway's route of the same name.",
    responses=error_answers(408, 409, 413, 422, 503),
    dependencies=[Depends(accept_idempotency_key)],
    openapi_extra=form_body(AddFields, file="Photos, or ZIP archives of photos; `files` works as well.", several=True),
)
async def add_images(
    request: Request, service: Service, settings: Settings, audit: Audit, allowed: Allowed
) -> AddReply | Response:
    """Read the form and add its photos."""

    async def add() -> AddReply:
        # An upload waits for its turn only when it is complete, so a slow one does not block others.
        async with service.upload_turns:
            upload = await service.workers.run(read_upload, files, fields, settings)
            if fields.dry_run:
                planned = await service.indexer.check(fields.collection, upload.submissions)
                texts = await service.workers.run(correct_texts, service.gallery, fields, upload, planned)
                return add_reply(fields, upload, planned, texts)
            with audit.change("image.add", collection=fields.collection) as change:
                outcomes = await service.indexer.add(fields.collection, upload.submissions)
                corrected = await service.workers.run(correct_texts, service.gallery, fields, upload, outcomes)
                faults = await service.workers.run(find_faults, service.gallery, outcomes)
                reply = add_reply(fields, upload, outcomes, corrected, faults)
                change.ids = [result.image.id for result in reply.results if result.image and result.status == "added"]
                change.details |= {"duplicates": reply.duplicates, "rejected": reply.rejected}
                change.details |= {"updated": reply.updated} if reply.updated else {}
        return reply

    async def answer() -> Response:
        return JSONResponse((await add()).model_dump(mode="json"))

    with service.uploads.admit() as incoming:
        async with open_form(
            request, incoming, max_bytes=settings.max_upload_bytes, max_files=settings.max_upload_files
        ) as form:
            fields = parse_fields(AddFields, form, files=frozenset({"file", "files"}))
            await allowed.check_name(fields.collection)
            files = uploaded_files(form, "file", "files")
            if not request.headers.get(KEY_HEADER):
                return await add()
            body = await asyncio.to_thread(hash_form, form)
            return await service.usage.repeated_writes.once(request, body, answer)


@router.post(
    "/known",
    response_model_exclude_none=True,
    summary="Which of these photos and recordings does the collection have?",
    responses=error_answers(422, 503),
)
async def tell_known(question: KnownQuestion, service: Service, allowed: Allowed) -> KnownReply:
    """Find the photos and recordings by their SHA-256."""
    await allowed.check_name(question.collection)
    places, recordings = await service.workers.run(_known, service.gallery, question)
    return KnownReply(known=[*places, *recordings], places=places if question.places else None)


@router.post(
    "/plan",
    summary="What would an upload become?",
    responses=error_answers(422, 503),
    dependencies=[OPEN_TO_RESTRICTED],
)
async def plan_upload(question: PlanQuestion, service: Service, settings: Settings) -> PlanReply:
    """Plan the upload by its file names."""
    return await service.workers.run(answer_plan, question, settings.max_archive_entries)


@router.get(
    "/manifest-template",
    response_class=Response,
    summary="A manifest to fill in",
    responses={**file_answer("text/csv"), **error_answers(422, 503)},
    dependencies=[OPEN_TO_RESTRICTED],
)
async def get_manifest_template(params: Annotated[TemplateParams, Query()]) -> Response:
    """Return a CSV file with headers and one row."""
    return _manifest_answer(manifest_template(params.language))


@router.get(
    "/manifest",
    response_class=Response,
    summary="The places of a collection as a manifest",
    responses={**file_answer("text/csv"), **error_answers(404, 422, 503)},
)
async def get_manifest(params: Annotated[ManifestParams, Query()], service: Service, allowed: Allowed) -> Response:
    """Return a CSV file with one row per place."""
    await allowed.check(params.collection)
    return _manifest_answer(
        await service.workers.run(export_manifest, service.gallery, params.collection, params.language)
    )


@router.get(
    "/archive",
    response_class=Response,
    summary="A collection as a ZIP archive",
    responses={**file_answer("application/zip"), **error_answers(404, 422, 503)},
)
async def get_archive(params: Annotated[ManifestParams, Query()], service: Service, allowed: Allowed) -> Response:
    """Return the photos, the recordings and a manifest, while they are read."""
    await allowed.check(params.collection)
    content = await service.workers.run(export_archive, service.gallery, params.collection, params.language)
    name = quote(f"{params.collection}.zip", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=utf-8''{name}"}
    return StreamingResponse(content, media_type="application/zip", headers=headers)


@router.get("/images", summary="List gallery images", responses=error_answers(404, 422, 503))
async def list_images(service: Service, wanted: Annotated[ImageFilter, Query()], allowed: Allowed) -> ImagePageBody:
    """Return one page, oldest first."""
    await allowed.check(wanted.collection)
    page = await _list(
        service,
        service.gallery.list_images,
        collection=wanted.collection,
        place_id=wanted.place_id,
        text=wanted.q,
        cursor=wanted.cursor,
        limit=wanted.limit,
    )
    return image_page(page)


@router.get("/images/{image_id}", summary="One gallery image", responses=error_answers(404, 422, 503))
async def get_image(image_id: ImageId, service: Service, response: Response) -> ImageBody:
    """Return an image; a change may give its ETag in If-Match."""
    image = await service.workers.run(service.gallery.get, image_id)
    response.headers["ETag"] = entity_tag(image_tag(image))
    return image_body(image)


@router.get(
    "/images/{image_id}/file",
    response_class=Response,
    summary="The original photo, as it was uploaded",
    responses={**file_answer("image/*"), **error_answers(404, 422, 503)},
)
async def get_original(image_id: ImageId, request: Request, service: Service) -> Response:
    """Return the stored original."""
    image, file = await service.workers.run(open_original, service.gallery, image_id)
    return media_answer(request, file, image.media_type, etag=image.content_hash, filename=image.filename)


@router.get(
    "/images/{image_id}/preview",
    response_class=Response,
    summary="A small JPEG of the photo",
    responses={**file_answer("image/jpeg"), **error_answers(404, 422, 503)},
)
async def get_preview(image_id: ImageId, request: Request, service: Service) -> Response:
    """Return a small JPEG without metadata."""
    image, file = await service.workers.run(open_preview, service.gallery, image_id)
    return media_answer(request, file, "image/jpeg", etag=f"{image.content_hash}-preview")


@router.patch("/images/{image_id}", summary="Change what an image shows", responses=error_answers(404, 412, 422, 503))
async def change_image(
    image_id: ImageId,
    change: ImageChangeBody,
    service: Service,
    audit: Audit,
    response: Response,
    expected: Expected = None,
) -> ImageBody:
    """Change the given fields; the others are unchanged."""
    with audit.change("image.edit", image_id, fields=sorted(change.model_fields_set)):
        image = await service.workers.run(
            service.gallery.update, image_id, change_from_body(change), expected=read_tags(expected)
        )
    response.headers["ETag"] = entity_tag(image_tag(image))
    return image_body(image)


@router.delete("/images/{image_id}", status_code=204, summary="Remove an image", responses=error_answers(404, 422, 503))
async def delete_image(
    image_id: ImageId, service: Service, audit: Audit, params: Annotated[DeleteParams, Query()]
) -> Response:
    """Delete an image, and its place if no other image shows it."""
    with audit.change("image.delete", image_id, permanently=params.permanently):
        deletion = await service.trash.delete_image(image_id, permanently=params.permanently)
    return deletion_answer(deletion)


@router.post("/images/move", summary="Let photos show another place", responses=error_answers(404, 422, 503))
async def move_images(wanted: MoveRequest, service: Service, audit: Audit, allowed: Allowed) -> MoveReply:
    """Move images, and all images of places."""
    await allowed.check(wanted.collection)
    with audit.change("image.move", *wanted.images, **wanted.model_dump(exclude={"images"})) as change:
        place, moved = await service.workers.run(
            service.gallery.move_images,
            wanted.collection,
            wanted.place_id,
            images=wanted.images,
            places=wanted.places,
        )
        change.details["moved"] = moved
    return MoveReply(moved=moved, place=place_summary(place))


@router.get("/places", summary="List places", responses=error_answers(404, 422, 503))
async def list_places(service: Service, wanted: Annotated[PlaceFilter, Query()], allowed: Allowed) -> PlacePageBody:
    """Return one page, sorted by name."""
    await allowed.check(wanted.collection)
    page = await _list(
        service,
        service.gallery.places,
        collection=wanted.collection,
        text=wanted.q,
        cursor=wanted.cursor,
        limit=wanted.limit,
        is_hidden=wanted.hidden,
    )
    return place_page(page)


@router.get("/collections", summary="List collections", responses=error_answers(422, 503))
async def list_collections(
    service: Service, params: Annotated[CollectionParams, Query()], allowed: Allowed
) -> CollectionList:
    """Return all collections for which the key may be used."""
    found = await service.workers.run(service.gallery.collections, with_hidden=params.hidden)
    return collection_list(allowed.among(found))


def _manifest_answer(content: bytes) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{MANIFEST}"'}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


def _known(gallery: Gallery, question: KnownQuestion) -> tuple[dict[str, str], set[str]]:
    """Return the place names of known photos by hash, and the hashes of known recordings."""
    found = {sha256: gallery.find_by_content(question.collection, sha256) for sha256 in question.content_hashes}
    places = {sha256: image.place.name for sha256, image in found.items() if image is not None}
    recordings = {recording.content_hash for recording in gallery.recordings.of_collection(question.collection)}
    return places, recordings & set(question.content_hashes)


async def _list(service: Service, read: Callable[..., Page], *, collection: str | None, **filters: Any) -> Page:
    """Read one page of a collection, by its name or a former one, or of all; an unknown collection is an error."""

    def look() -> Page:
        current = service.gallery.current_name(collection) if collection is not None else None
        if current is not None:
            service.gallery.check_collection_exists(current)
        return read(collection=current, **filters)

    return await service.workers.run(look)
