"""What the routes receive: made in the application's lifespan, found on its state.

Coroutines although they wait for nothing: FastAPI would call plain functions in a thread, at every request.
"""

from typing import Annotated

from fastapi import Depends, Request

from services.retrieval.engine import RetrievalEngine
from services.retrieval.settings import RetrievalSettings
from serving.audit import AuditLog
from serving.loading import Loading


async def get_engine(request: Request) -> RetrievalEngine:
    """The running engine.

    Raises:
        NotReady: the encoder is still being loaded.
        Exception: whatever loading it raised.
    """
    engine: Loading[RetrievalEngine] = request.app.state.engine
    return engine.get()


async def get_settings(request: Request) -> RetrievalSettings:
    """The settings of this process."""
    settings: RetrievalSettings = request.app.state.settings
    return settings


async def get_audit(request: Request) -> AuditLog:
    """Where changes are written down."""
    audit: AuditLog = request.app.state.audit
    return audit


Audit = Annotated[AuditLog, Depends(get_audit)]
Engine = Annotated[RetrievalEngine, Depends(get_engine)]
Settings = Annotated[RetrievalSettings, Depends(get_settings)]
