"""Why a service is not ready: a code for everybody, and a text for operators."""

from typing import Any

from contracts.health import ReadyBody, ReadyCode
from core.errors import DeviceLost, GalleryError
from serving.loading import Loading


def describe_loading(process: str, loading: Loading[Any]) -> ReadyBody:
    """Describe why the model is not loaded."""
    failure = loading.failure
    code = ReadyCode.MODEL_UNAVAILABLE
    if failure is None:
        code = ReadyCode.LOADING
    elif isinstance(failure, DeviceLost):
        code = ReadyCode.DEVICE_LOST
    elif isinstance(failure, GalleryError):
        code = ReadyCode.GALLERY_UNAVAILABLE
    return ReadyBody(ready=False, loading=loading.in_first_try, process=process, code=code, reason=loading.reason)
