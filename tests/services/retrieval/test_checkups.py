"""Checks on request: which report is shown, and when another check is begun."""

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.gallery import Gallery, NewImage
from core.gallery_health import HealthCheck, HealthReport
from core.results import EncoderFingerprint
from services.retrieval.background.checkups import BUDGET_S, open_checkups


class SlowCheck(HealthCheck):
    """Runs out of time always, after so many photos more each time, up to a last one."""

    def __init__(self, gallery: Gallery, last: int) -> None:
        super().__init__(gallery, None)
        self.runs = 0
        self._last = last

    def run(self, collection: str, *, budget_s: float = BUDGET_S) -> HealthReport:
        """Measure one photo more than the last time."""
        self.runs += 1
        whole = super().run(collection, budget_s=budget_s)
        return replace(whole, is_complete=False, took_s=budget_s, photos_measured=min(self.runs, self._last))


def test_a_check_that_gets_nowhere_is_not_begun_again(tmp_path: Path):
    """A check that ran out of time goes on at the next question as long as that helps, and rests then."""
    photo = NewImage(
        data=b"photo", filename="a.jpg", media_type="image/jpeg", width=4, height=3, preview=b"\xff\xd8\xff\xd9",
        embedding=np.eye(1, 4, dtype=np.float32)[0], local_features=None,
    )  # fmt: skip

    async def poll(gallery: Gallery, check: SlowCheck) -> None:
        async with open_checkups(gallery) as checkups:
            checkups._check = check
            for _ in range(20):
                await checkups.ask("default", wait_s=10)
                await asyncio.gather(*checkups._running.values())
                await asyncio.sleep(0)  # lets the report be kept

    with Gallery.open(tmp_path, EncoderFingerprint("drawn", "seeded", "none", 4)) as gallery:
        gallery.add([photo])
        check = SlowCheck(gallery, last=3)
        asyncio.run(poll(gallery, check))

    assert check.runs == 4
