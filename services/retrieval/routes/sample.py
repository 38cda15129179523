"""The ``/sample`` routes: a collection to try the product with."""

from typing import Annotated

from fastapi import Path, Query, Response

from contracts.sample import SampleCollection, SampleParams
from core.building.sample_photos import SAMPLE_COLLECTION
from services.retrieval.allowed import Allowed
from services.retrieval.dependencies import Audit, Service
from serving.auth.restriction import OPEN_TO_RESTRICTED
from serving.openapi import error_answers, file_answer
from serving.routers import Router

router = Router(prefix="/sample", tags=["sample"])


@router.get("", summary="The sample collection and its progress", responses=error_answers(422, 503))
async def get_sample(service: Service, params: Annotated[SampleParams, Query()], allowed: Allowed) -> SampleCollection:
    """Return its state, its photographs and their licences."""
    sample = await service.sample.read(params.language)
    if await allowed.includes(SAMPLE_COLLECTION):
        return sample
    return sample.model_copy(update={"state": "unavailable", "done": 0, "reason": None})


@router.post("", status_code=202, summary="Build the sample collection", responses=error_answers(422, 503))
async def build_sample(
    service: Service, audit: Audit, params: Annotated[SampleParams, Query()], allowed: Allowed
) -> SampleCollection:
    """Build it in the background."""
    await allowed.check_name(SAMPLE_COLLECTION)
    with audit.change("sample.build", collection=SAMPLE_COLLECTION):
        return await service.sample.build(params.language)


@router.get(
    "/queries/{number}",
    response_class=Response,
    summary="A test photo for the sample",
    responses={**file_answer("image/jpeg"), **error_answers(422, 503)},
    dependencies=[OPEN_TO_RESTRICTED],
)
async def get_query(number: Annotated[int, Path(ge=0, le=1000)], service: Service) -> Response:
    """Return a photograph of the sample as a visitor might take it, or one that the sample does not hold."""
    return Response(await service.sample.query(number), media_type="image/jpeg")
