"""The ``/collections`` routes: health, matches, statistics, drift, calibration, branding, places, collections."""

from functools import partial
from io import BytesIO
from typing import Annotated

from fastapi import Depends, Query, Request, Response

from contracts.branding import BrandingBody, BrandingChange
from contracts.calibration import CalibrationChange, CalibrationJob, CalibrationReply, CalibrationRequest
from contracts.collections import (
    CollectionChange,
    DriftReply,
    HealthParams,
    HealthReply,
    MatchPage,
    MatchParams,
    NewCollection,
)
from contracts.images import CollectionSummaryBody, PlaceChange, PlaceParams, PlaceSummaryBody
from contracts.statistics import StatisticsParams, StatisticsPeriod, StatisticsReply, StatisticsTableParams
from contracts.trash import DeleteParams
from core.errors import UnknownImage
from core.gallery.tags import place_tag
from core.journal.statistics import PlaceCount, Statistics, read_time_zone
from services.retrieval.allowed import Allowed, Collection, PlaceAddress
from services.retrieval.dependencies import Audit, Service
from services.retrieval.repeated_writes import JsonRoute
from services.retrieval.replies.branding import branding_body, branding_change, logo_version
from services.retrieval.replies.collections import drift_reply, health_reply, match_page
from services.retrieval.replies.editing import Expected, deletion_answer, entity_tag, read_tags
from services.retrieval.replies.gallery import collection_body, place_change_from_body, place_summary, read_place
from services.retrieval.replies.photos import media_answer
from services.retrieval.replies.statistics import statistics_reply, statistics_table
from services.retrieval.replies.texts import AcceptLanguage, reader_of
from services.retrieval.service import RetrievalService
from serving.idempotency import accept_idempotency_key
from serving.openapi import error_answers, file_answer
from serving.routers import Router

router = Router(prefix="/collections", tags=["collections"], route_class=JsonRoute)


@router.get(
    "/{collection:path}/health",
    summary="Problems of a collection, and what to photograph next",
    responses=error_answers(404, 409, 422, 503),
)
async def get_health(collection: Collection, service: Service, params: Annotated[HealthParams, Query()]) -> HealthReply:
    """Return the newest check; start a new one if the gallery has changed since."""
    checkup = await service.checkups.ask(collection, params.wait_s)
    return health_reply(collection, checkup, params.limit)


@router.get("/{collection:path}/matches", summary="Recent matches, as numbers", responses=error_answers(404, 422, 503))
async def list_matches(collection: Collection, service: Service, params: Annotated[MatchParams, Query()]) -> MatchPage:
    """Return one page, newest first."""
    return match_page(*await service.usage.page(collection, params.cursor, params.limit, commented=params.commented))


@router.get("/{collection:path}/statistics", summary="How a collection is used", responses=error_answers(404, 422, 503))
async def get_statistics(
    collection: Collection, service: Service, params: Annotated[StatisticsParams, Query()]
) -> StatisticsReply:
    """Count the questions of the last days by day and hour, and how often every place was photographed."""
    statistics, places = await _statistics(collection, service, params)
    return statistics_reply(
        collection,
        statistics,
        places,
        time_zone=params.time_zone,
        kept_days=service.usage.match_days,
        limit=params.limit,
    )


@router.get(
    "/{collection:path}/statistics.csv",
    response_class=Response,
    summary="How a collection is used, as CSV",
    responses={**file_answer("text/csv"), **error_answers(404, 422, 503)},
)
async def get_statistics_table(
    collection: Collection, service: Service, params: Annotated[StatisticsTableParams, Query()]
) -> Response:
    """Return one table as a CSV file."""
    statistics, places = await _statistics(collection, service, params)
    content = statistics_table(statistics, places, params.table, params.language)
    headers = {"Content-Disposition": "attachment"}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


@router.get(
    "/{collection:path}/drift",
    summary="Have the collection's answers changed over time?",
    responses=error_answers(404, 422, 503),
)
async def get_drift(collection: Collection, service: Service) -> DriftReply:
    """Compare every week with the first weeks."""
    calibration = await service.workers.run(service.gallery.calibration, collection)
    return drift_reply(collection, await service.usage.drift(collection, calibration))


@router.get(
    "/{collection:path}/calibration",
    summary="The calibration of a collection",
    responses=error_answers(404, 409, 422, 503),
)
async def get_calibration(collection: Collection, service: Service) -> CalibrationReply:
    """Return the stored calibration, whether it is valid, and the running one at any replica."""
    return await _calibration(collection, service)


@router.post(
    "/{collection:path}/calibration",
    status_code=202,
    summary="Calibrate a collection",
    responses=error_answers(404, 409, 422, 503),
    dependencies=[Depends(accept_idempotency_key)],
)
async def start_calibration(collection: Collection, wanted: CalibrationRequest, service: Service) -> CalibrationJob:
    """Calibrate in the background; the audit log records it when it is stored."""
    return await service.calibration_jobs.start(collection, wanted)


@router.patch(
    "/{collection:path}/calibration",
    summary="Change the target of a calibration",
    responses=error_answers(404, 409, 422, 503),
)
async def change_calibration(
    collection: Collection, change: CalibrationChange, service: Service, audit: Audit
) -> CalibrationReply:
    """Change the target at once, without new measurements."""
    with audit.change("calibration.edit", collection=collection, target=change.target):
        await service.calibrations.change_target(collection, change.target)
    return await _calibration(collection, service)


@router.delete(
    "/{collection:path}/calibration",
    status_code=204,
    summary="Cancel the running calibration, or delete the stored one",
    responses=error_answers(404, 409, 422, 503),
)
async def delete_calibration(collection: Collection, service: Service, audit: Audit) -> None:
    """Cancel the running calibration; if none is running, delete the stored one, and the default rule decides again."""
    if not await service.calibration_jobs.stop(collection):
        with audit.change("calibration.delete", collection=collection):
            await service.calibrations.remove(collection)


@router.get(
    "/{collection:path}/branding",
    summary="How a collection presents its museum",
    responses=error_answers(404, 422, 503),
)
async def get_branding(collection: Collection, service: Service) -> BrandingBody:
    """Return the museum's name, colour, privacy note and footer."""
    return branding_body(await service.workers.run(service.gallery.branding, collection))


@router.patch(
    "/{collection:path}/branding",
    summary="Change how a collection presents its museum",
    responses=error_answers(400, 404, 413, 415, 422, 503),
)
async def change_branding(
    collection: Collection, change: BrandingChange, service: Service, audit: Audit
) -> BrandingBody:
    """Change the given fields; the others are unchanged."""
    with audit.change("branding.edit", collection=collection, fields=sorted(change.model_fields_set)):
        given = await service.workers.run(branding_change, change)
        return branding_body(await service.workers.run(service.gallery.change_branding, collection, given))


@router.get(
    "/{collection:path}/logo",
    response_class=Response,
    summary="The museum's logo",
    responses={**file_answer("image/png"), **error_answers(404, 422, 503)},
)
async def get_logo(collection: Collection, request: Request, service: Service) -> Response:
    """Return a PNG of at most 256 pixels on a side."""
    logo = (await service.workers.run(service.gallery.branding, collection)).logo
    if logo is None:
        raise UnknownImage(f"collection {collection[:100]!r} has no logo")
    return media_answer(request, BytesIO(logo), "image/png", etag=logo_version(logo))


@router.get("/{collection:path}/places/{place:path}", summary="One place", responses=error_answers(404, 422, 503))
async def get_place(
    address: PlaceAddress,
    service: Service,
    response: Response,
    params: Annotated[PlaceParams, Query()],
    languages: AcceptLanguage = None,
) -> PlaceSummaryBody:
    """Return a place; a change may give its ETag in If-Match."""
    read = partial(read_place, service.gallery, *address, languages, with_hidden=params.hidden)
    tag, body = await service.workers.run(read)
    response.headers["ETag"] = entity_tag(tag)
    response.headers["Vary"] = "Accept-Language"
    return body


@router.patch(
    "/{collection:path}/places/{place:path}", summary="Change a place", responses=error_answers(404, 412, 422, 503)
)
async def change_place(
    address: PlaceAddress,
    change: PlaceChange,
    service: Service,
    audit: Audit,
    response: Response,
    expected: Expected = None,
    languages: AcceptLanguage = None,
) -> PlaceSummaryBody:
    """Change the given fields; the others are unchanged."""
    collection, place = address
    with audit.change("place.edit", place, collection=collection, fields=sorted(change.model_fields_set)):
        changed = await service.workers.run(
            service.gallery.change_place,
            collection,
            place,
            place_change_from_body(change),
            expected=read_tags(expected),
        )
    reader = await service.workers.run(reader_of, service.gallery, collection, languages)
    response.headers["ETag"] = entity_tag(place_tag(changed.place))
    response.headers["Vary"] = "Accept-Language"
    return place_summary(changed, reader)


@router.delete(
    "/{collection:path}/places/{place:path}",
    status_code=204,
    summary="Delete a place",
    responses=error_answers(404, 422, 503),
)
async def delete_place(
    address: PlaceAddress, service: Service, audit: Audit, params: Annotated[DeleteParams, Query()]
) -> Response:
    """Delete the place and all its photos."""
    collection, place = address
    with audit.change("place.delete", place, collection=collection, permanently=params.permanently):
        deletion = await service.trash.delete_place(collection, place, permanently=params.permanently)
    return deletion_answer(deletion)


@router.post(
    "",
    status_code=201,
    summary="Create a collection",
    responses=error_answers(409, 422, 503),
    dependencies=[Depends(accept_idempotency_key)],
)
async def create_collection(
    new: NewCollection, service: Service, audit: Audit, allowed: Allowed
) -> CollectionSummaryBody:
    """Create a collection without photos."""
    await allowed.check_name(new.name)
    with audit.change("collection.create", collection=new.name):
        created = await service.workers.run(service.gallery.create_collection, new.name, new.language or "")
    return collection_body(created)


# Last: these paths match those above as well.
@router.patch("/{collection:path}", summary="Change a collection", responses=error_answers(404, 422, 503))
async def change_collection(
    collection: Collection, change: CollectionChange, service: Service, audit: Audit, allowed: Allowed
) -> CollectionSummaryBody:
    """Rename the collection with all that belongs to it, and set the language of its texts."""
    if change.name is not None:
        await allowed.check_name(change.name)
    language = (change.language or "") if "language" in change.model_fields_set else None
    action = "collection.rename" if change.name else "collection.edit"
    with audit.change(action, collection=collection, **change.model_dump(exclude_unset=True)):
        return collection_body(await service.change_collection(collection, change.name or collection, language))


@router.delete(
    "/{collection:path}", status_code=204, summary="Delete a collection", responses=error_answers(404, 422, 503)
)
async def delete_collection(
    collection: Collection, service: Service, audit: Audit, params: Annotated[DeleteParams, Query()]
) -> Response:
    """Delete its photos, places, calibration and log of matches."""
    with audit.change("collection.delete", collection=collection, permanently=params.permanently) as change:
        images, deletion = await service.delete_collection(collection, permanently=params.permanently)
        change.details["images"] = images
    return deletion_answer(deletion)


async def _calibration(collection: str, service: RetrievalService) -> CalibrationReply:
    on_record = await service.calibrations.read(collection)
    return on_record.model_copy(update={"job": await service.calibration_jobs.find(collection)})


async def _statistics(
    collection: str, service: RetrievalService, period: StatisticsPeriod
) -> tuple[Statistics, list[PlaceCount]]:
    zone = read_time_zone(period.time_zone)
    await service.workers.run(service.gallery.check_collection_exists, collection)
    return await service.usage.statistics(collection, period.days, zone, service.gallery.all_places(collection))
