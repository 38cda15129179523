"""Why a service is not ready: a code for everybody, and a text for operators."""

from typing import Any

from contracts.health import ReadyBody, ReadyCode
from core.errors import DeviceLost, GalleryError
from core.runtime.downloads import Downloads
from serving.loading import Loading


def describe_loading(process: str, loading: Loading[Any], downloads: Downloads) -> ReadyBody:
    """Describe why the model is not loaded, and how far its download is."""
    if (download := downloads.current) is not None:
        return ReadyBody(
            ready=False,
            loading=True,
            process=process,
            code=ReadyCode.LOADING,
            reason=str(download),
            details={
                "model": download.model,
                "downloaded_bytes": download.done_bytes,
                "bytes_to_download": download.total_bytes,
            },
        )
    failure = loading.failure
    code = ReadyCode.MODEL_UNAVAILABLE
    if failure is None:
        code = ReadyCode.LOADING
    elif isinstance(failure, DeviceLost):
        code = ReadyCode.DEVICE_LOST
    elif isinstance(failure, GalleryError):
        code = ReadyCode.GALLERY_UNAVAILABLE
    return ReadyBody(ready=False, loading=loading.in_first_try, process=process, code=code, reason=loading.reason)
