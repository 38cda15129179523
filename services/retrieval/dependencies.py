"""Dependencies of the routes, read from the application's state, where its lifespan has put them.

They are coroutines although they wait for nothing, because FastAPI would call plain functions in a thread.
"""

from typing import Annotated

from fastapi import Depends, Request

from services.retrieval.service import RetrievalService
from services.retrieval.settings import RetrievalSettings
from serving.audit import AuditLog
from serving.loading import Loading


async def get_service(request: Request) -> RetrievalService:
    """Return the running service.

    Raises:
        NotReady: the encoder is still being loaded.
        Exception: the error with which loading failed.
    """
    service: Loading[RetrievalService] = request.app.state.loading
    return service.get()


async def get_settings(request: Request) -> RetrievalSettings:
    """Return the settings of this process."""
    settings: RetrievalSettings = request.app.state.settings
    return settings


async def get_audit(request: Request) -> AuditLog:
    """Return the audit log."""
    audit: AuditLog = request.app.state.audit
    return audit


Audit = Annotated[AuditLog, Depends(get_audit)]
Service = Annotated[RetrievalService, Depends(get_service)]
Settings = Annotated[RetrievalSettings, Depends(get_settings)]
