"""Dependencies of the routes, read from the application's state, where its lifespan has put them.

They are coroutines although they wait for nothing, because FastAPI would call plain functions in a thread.
"""

from dataclasses import dataclass

from fastapi import Request

from gateway.match.log import MatchLog
from gateway.match.metrics import MatchMetrics
from gateway.match.pipeline import MatchPipeline
from gateway.match.recent_times import RecentTimes
from gateway.settings import GatewaySettings
from serving.admission import Gate
from serving.body_slots import BodySlots


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The parts of one running gateway. Photos are received in the body slots, and pass the gate when complete."""

    settings: GatewaySettings
    pipeline: MatchPipeline
    body_slots: BodySlots
    gate: Gate
    match_metrics: MatchMetrics
    recent_times: RecentTimes
    match_log: MatchLog


async def get_gateway(request: Request) -> Gateway:
    """Return the running gateway."""
    gateway: Gateway = request.app.state.gateway
    return gateway
