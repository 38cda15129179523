"""Why a service is not ready, as a code for everybody and in words for operators."""

from typing import Any

from contracts.health import ReadyBody, ReadyCode
from core.errors import DeviceLost, GalleryError
from serving.loading import Loading


def describe_loading(process: str, loading: Loading[Any]) -> ReadyBody:
    """Say why what is being loaded is not there."""
    failure = loading.failure
    code = ReadyCode.MODEL_UNAVAILABLE
    if failure is None:
        code = ReadyCode.LOADING
    elif isinstance(failure, DeviceLost):
        code = ReadyCode.DEVICE_LOST
    elif isinstance(failure, GalleryError):
        code = ReadyCode.GALLERY_UNAVAILABLE
    return ReadyBody(ready=False, loading=loading.in_first_try, process=process, code=code, reason=loading.reason)
