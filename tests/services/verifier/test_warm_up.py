"""A verifier on a GPU is ready when it has been warmed up."""

from pathlib import Path

import pytest
import torch
from fakes.verifiers import ScriptedVerifier
from in_process import AppClient

from core.errors import OutOfMemory
from core.runtime.devices import DeviceChoice
from core.verifiers.cascade import CascadeVerifier
from services.verifier.app import create_app
from services.verifier.settings import VerifierSettings


class Warmed(ScriptedVerifier):
    """Counts its warm-ups."""

    def __init__(self, device: str, failure: Exception | None = None) -> None:
        super().__init__()
        self.device = DeviceChoice(torch.device(device), torch.float32, f"{device} (played)")
        self.times = 0
        self._failure = failure

    def warm_up(self) -> None:
        """Count, or fail."""
        self.times += 1
        if self._failure is not None:
            raise self._failure


@pytest.mark.parametrize(("device", "times"), [("cuda", 1), ("cpu", 0)])
def test_a_gpu_is_warmed_up_before_the_first_visitor(folder: Path, device: str, times: int):
    """Once, at the start; a CPU loads no kernels."""
    verifier = Warmed(device)
    with AppClient(create_app(VerifierSettings(data_dir=folder), verifier=verifier)) as client:
        client.call(client.app.state.loading.finished)
        assert verifier.times == times


def test_a_cascade_warms_up_both(folder: Path):
    """A verifier inside another one is no exception."""
    inner = Warmed("cuda")
    with AppClient(
        create_app(VerifierSettings(data_dir=folder), verifier=CascadeVerifier(ScriptedVerifier(), inner))
    ) as client:
        client.call(client.app.state.loading.finished)
        assert inner.times == 1


def test_what_does_not_fit_is_known_at_the_start(folder: Path):
    """A GPU on which five candidates do not fit says so before anybody is waiting."""
    verifier = Warmed("cuda", OutOfMemory("a single photo did not fit the device's memory"))
    with AppClient(create_app(VerifierSettings(data_dir=folder), verifier=verifier)) as client:
        client.call(client.app.state.loading.finished)
        answer = client.get("/health/ready")

    assert answer.status_code == 503
    assert "did not fit" in answer.text
