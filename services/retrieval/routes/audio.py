"""The ``/index/places/audio`` routes: recordings of places, one for each language."""

from functools import partial
from typing import Annotated

from fastapi import Depends, Query, Request, Response

from contracts.audio import AudioParams, HeardParams
from contracts.images import PlaceSummaryBody
from core.gallery.tags import place_tag
from services.retrieval.allowed import Allowed
from services.retrieval.dependencies import Audit, Service, Settings
from services.retrieval.replies.editing import entity_tag
from services.retrieval.replies.gallery import place_summary
from services.retrieval.replies.photos import media_answer
from serving.openapi import AUDIO_BODY, error_answers, file_answer
from serving.routers import Router
from serving.uploads import read_body

router = Router(prefix="/index/places/audio", tags=["gallery"])


async def _wanted(params: Annotated[AudioParams, Query()], allowed: Allowed) -> AudioParams:
    await allowed.check(params.collection)
    return params


Wanted = Annotated[AudioParams, Depends(_wanted)]


@router.put(
    "",
    summary="Store the recording of a place in one language",
    responses=error_answers(404, 408, 413, 415, 422, 503),
    openapi_extra=AUDIO_BODY,
)
async def store_audio(
    request: Request, service: Service, settings: Settings, audit: Audit, wanted: Wanted, response: Response
) -> PlaceSummaryBody:
    """Read the recording and store it in place of an earlier one."""
    with service.uploads.admit() as incoming:
        data = await read_body(request, incoming, settings.max_audio_bytes)
    details = wanted.model_dump(exclude={"place_id"})
    with audit.change("audio.store", wanted.place_id, **details, bytes=len(data)):
        place = await service.workers.run(
            service.gallery.recordings.put, wanted.collection, wanted.place_id, wanted.language, data
        )
    response.headers["ETag"] = entity_tag(place_tag(place.place))
    return place_summary(place)


@router.get(
    "",
    response_class=Response,
    summary="The recording of a place in one language",
    responses={**file_answer("audio/*"), **error_answers(404, 422, 503)},
)
async def get_audio(
    request: Request, service: Service, wanted: Annotated[HeardParams, Query()], allowed: Allowed
) -> Response:
    """Return the recording, or the part of it that Range names."""
    await allowed.check(wanted.collection)
    address = wanted.collection, wanted.place_id, wanted.language
    opening = partial(service.gallery.recordings.open, *address, with_hidden=wanted.hidden)
    recording, file = await service.workers.run(opening)
    # Another recording may take its place under the same address.
    return media_answer(
        request, file, recording.media_type, etag=recording.content_hash, cache="private, no-cache", in_parts=True
    )


@router.delete(
    "",
    status_code=204,
    summary="Delete the recording of a place in one language",
    responses=error_answers(404, 422, 503),
)
async def delete_audio(service: Service, audit: Audit, wanted: Wanted) -> None:
    """Delete the recording and its transcript."""
    details = wanted.model_dump(exclude={"place_id"})
    with audit.change("audio.delete", wanted.place_id, **details):
        await service.workers.run(
            service.gallery.recordings.remove, wanted.collection, wanted.place_id, wanted.language
        )
