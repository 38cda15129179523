"""Internal: the calibrations on record, and photos taken again, from which the gateway makes them."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from contracts.calibration import (
    CalibrationChange,
    JobAnswer,
    JobWord,
    KnownJob,
    MeasuredCalibration,
    ModelsInUse,
    StoppedJob,
    StoredCalibration,
)
from contracts.collections import MAX_COLLECTION
from contracts.images import IMAGE_ID_PATTERN
from core.evaluation.simulated_photo import simulate_visitor_photo
from core.gallery import Gallery
from services.retrieval.dependencies import Audit, Engine
from services.retrieval.replies.photos import open_original
from serving.openapi import error_answers

router = APIRouter(tags=["calibration"])

# A collection's name may hold a slash.
Collection = Annotated[str, Path(min_length=1, max_length=MAX_COLLECTION)]
ImageId = Annotated[str, Path(pattern=IMAGE_ID_PATTERN)]
Seed = Annotated[int, Query(ge=0, lt=2**31, description="of chance; the same image and seed give the same photo")]


@router.get(
    "/calibrations/{collection:path}",
    summary="The calibration on record",
    responses=error_answers(404, 409, 422, 503),
)
async def get_calibration(
    collection: Collection, engine: Engine, models: Annotated[ModelsInUse, Query()]
) -> StoredCalibration:
    """What it promises, and whether it holds for the verifier in use."""
    return await engine.calibrations.read(collection, models.verifier)


@router.put(
    "/calibrations/{collection:path}",
    summary="Fit a calibration and keep it",
    responses=error_answers(404, 409, 422, 503),
)
async def put_calibration(
    collection: Collection, measured: MeasuredCalibration, engine: Engine, audit: Audit
) -> StoredCalibration:
    """It is on the disk, and decides from the next photo on."""
    with audit.change("calibration.make", collection=collection, target=measured.target):
        return await engine.calibrations.fit(collection, measured)


@router.patch(
    "/calibrations/{collection:path}",
    summary="Fit what was measured to another target",
    responses=error_answers(404, 409, 422, 503),
)
async def change_calibration(
    collection: Collection,
    change: CalibrationChange,
    engine: Engine,
    audit: Audit,
    models: Annotated[ModelsInUse, Query()],
) -> StoredCalibration:
    """At once; no photo is asked about again."""
    with audit.change("calibration.edit", collection=collection, target=change.target):
        return await engine.calibrations.change_target(collection, change.target, models.verifier)


@router.delete(
    "/calibrations/{collection:path}",
    status_code=204,
    summary="Forget a calibration",
    responses=error_answers(404, 422, 503),
)
async def delete_calibration(collection: Collection, engine: Engine, audit: Audit) -> None:
    """The shipped rule decides again."""
    with audit.change("calibration.delete", collection=collection):
        await engine.calibrations.remove(collection)


@router.get(
    "/calibration-jobs/{collection:path}", summary="The calibration being made", responses=error_answers(404, 422, 503)
)
async def get_job(collection: Collection, engine: Engine) -> KnownJob:
    """Or how the latest ended, whichever gateway made it."""
    return KnownJob(job=await engine.calibration_jobs.find(collection))


@router.put(
    "/calibration-jobs/{collection:path}",
    summary="Tell how far a calibration is",
    responses=error_answers(404, 422, 503),
)
async def put_job(collection: Collection, word: JobWord, engine: Engine) -> JobAnswer:
    """From the gateway that makes it."""
    return await engine.calibration_jobs.hear(collection, word)


@router.delete(
    "/calibration-jobs/{collection:path}",
    summary="Have the calibration being made stopped",
    responses=error_answers(404, 422, 503),
)
async def delete_job(collection: Collection, engine: Engine) -> StoppedJob:
    """The gateway that makes it is told at its next word, within a second or so."""
    return StoppedJob(was_running=await engine.calibration_jobs.stop(collection))


@router.get(
    "/rephotographed/{image_id}",
    response_class=Response,
    summary="A gallery photo as a visitor might have taken it",
    responses={200: {"content": {"image/jpeg": {}}}, **error_answers(400, 404, 413, 415, 422, 503)},
)
async def get_rephotographed(image_id: ImageId, engine: Engine, seed: Seed = 0) -> Response:
    """From another spot, in other light, as a JPEG."""
    photo = await engine.workers.run(_rephotograph, engine.gallery, image_id, seed)
    return Response(photo, media_type="image/jpeg")


def _rephotograph(gallery: Gallery, image_id: str, seed: int) -> bytes:
    _, file = open_original(gallery, image_id)
    with file:
        return simulate_visitor_photo(file.read(), seed)
