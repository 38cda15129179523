"""What the routes receive: made in the application's lifespan, found on its state.

Coroutines although they wait for nothing: FastAPI would call plain functions in a thread, at every request.
"""

from typing import Annotated

from fastapi import Depends, Request

from services.retrieval.service import RetrievalService
from services.retrieval.settings import RetrievalSettings
from serving.audit import AuditLog
from serving.loading import Loading


async def get_service(request: Request) -> RetrievalService:
    """The running service.

    Raises:
        NotReady: the encoder is still being loaded.
        Exception: whatever loading it raised.
    """
    service: Loading[RetrievalService] = request.app.state.loading
    return service.get()


async def get_settings(request: Request) -> RetrievalSettings:
    """The settings of this process."""
    settings: RetrievalSettings = request.app.state.settings
    return settings


async def get_audit(request: Request) -> AuditLog:
    """Where changes are written down."""
    audit: AuditLog = request.app.state.audit
    return audit


Audit = Annotated[AuditLog, Depends(get_audit)]
Service = Annotated[RetrievalService, Depends(get_service)]
Settings = Annotated[RetrievalSettings, Depends(get_settings)]
