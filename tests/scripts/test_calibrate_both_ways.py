"""The script and the service calibrate one gallery alike: the same questions, and the same threshold."""

import json
import time
from pathlib import Path

import pytest
from fakes.images import draw_place
from in_process import AppClient

from core.calibration.calibration import Calibration
from core.gallery import Gallery
from gateway.settings import GatewaySettings
from scripts import build_database, calibrate
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from standalone.app import compose

pytestmark = pytest.mark.timeout(900)

TARGET = 0.2
PHOTOS = 8
OPTIONS = {"aliked": False}
"""Only the first stage of the verifier, which is enough here and faster."""


@pytest.fixture(scope="module")
def gallery(tmp_path_factory) -> Path:
    """Five places, and three photos in another collection."""
    folder = tmp_path_factory.mktemp("database") / "gallery"
    for collection, seeds in (("default", range(5)), ("elsewhere", range(200, 203))):
        photos = tmp_path_factory.mktemp(collection)
        for seed in seeds:
            (photos / f"place{seed}").mkdir()
            draw_place(seed, (240, 180)).save(photos / f"place{seed}" / "front.jpg", quality=92)
        command = ["--image-dir", str(photos), "--output-dir", str(folder), "--collection", collection]
        assert build_database.main([*command, "--without-verifier-features"]) == 0
    return folder


def by_script(folder: Path) -> Calibration:
    command = ["--db-dir", str(folder), "--target", str(TARGET), "--photos", str(PHOTOS), "--verifier", "geometric"]
    command += ["--verifier-options", json.dumps(OPTIONS), "--time-budget", "0"]
    assert calibrate.main(command) == 0
    return stored(folder)


def by_service(folder: Path) -> Calibration:
    retrieval = create_retrieval(RetrievalSettings(data_dir=folder, time_budget_s=0, verifier_features=False))
    verifier = create_verifier(VerifierSettings(data_dir=folder, verifier_options=OPTIONS))
    with AppClient(compose(GatewaySettings(), retrieval=retrieval, verifier=verifier)) as product:
        for service in (retrieval, verifier):
            product.call(service.state.loading.finished)
        begun = product.post("/collections/default/calibration", json={"target": TARGET, "photos": PHOTOS})
        assert begun.status_code == 202
        while (job := product.get("/collections/default/calibration").json()["job"])["state"] == "running":
            time.sleep(0.5)
        assert job["state"] == "done", job["error"]
    return stored(folder)


def stored(folder: Path) -> Calibration:
    with Gallery.open(folder, None, read_only=True) as gallery:
        return Calibration.from_json(gallery.calibration())


def test_script_and_service_ask_the_same_and_conclude_the_same(gallery: Path):
    """Question by question: where the photo is from, what it shows, whether the first place is right and answered."""
    script, service = by_script(gallery), by_service(gallery)

    def concluded(calibration: Calibration) -> list[tuple[str, bool, bool, bool]]:
        return [
            (sample.origin, sample.known, sample.right, sample.score > calibration.threshold)
            for sample in calibration.samples
        ]

    assert concluded(script) == concluded(service)
    assert len(script.samples) == 2 * 5 + 3
    # The service packs a photo's features on their way to the verifier, which moves scores a little.
    assert script.threshold == pytest.approx(service.threshold, abs=0.05)
    assert (script.promised, script.models, script.places) == (service.promised, service.models, service.places)
