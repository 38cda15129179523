"""Documents the events that the retrieval service sends to the operator's webhook."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from contracts.webhooks import WEBHOOK_EVENTS

_ANSWERS: dict[int | str, dict[str, Any]] = {
    "default": {"description": "Any status of 200 to 299 acknowledges the event; after any other it is sent again."}
}


def describe_webhooks(app: FastAPI) -> None:
    """Add the events to an application's document."""
    for event in WEBHOOK_EVENTS:
        kind: str = event.model_fields["type"].default
        name = kind.replace(".", "_")
        app.webhooks.add_api_route(
            kind,
            _receiver(event),
            methods=["POST"],
            name=name,
            operation_id=name,
            tags=["webhooks"],
            summary=(event.__doc__ or "").strip(),
            description="Signed after Standard Webhooks, by `webhook-id`, `webhook-timestamp` and `webhook-signature`.",
            responses=_ANSWERS,
            status_code=204,
        )


def _receiver(event: type[BaseModel]) -> Any:
    async def receive(_event: event) -> None: ...  # type: ignore[valid-type]

    return receive
