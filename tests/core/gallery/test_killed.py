"""A process whose threads add, edit and delete is killed again and again."""

import hashlib
import os
import random
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from databases import on_both_databases
from edited_places import check_edits

from core.gallery import Gallery, Storage
from core.gallery.orphans import sweep

ROOT = Path(__file__).parents[3]


@on_both_databases
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kills", [8, pytest.param(200, marks=pytest.mark.slow)])
def test_acknowledged_changes_survive_kill_9(folder, storage, fingerprint, kills):
    """Whenever the process is killed, every acknowledged image and edit is there, whole, and no deleted one is."""
    choose = random.Random(kills)
    said = {word: dict[str, int]() for word in ("added", "editing", "edited", "deleting", "deleted")}
    for round_number in range(4 * kills):
        if round_number >= kills and len(said["deleted"]) >= kills // 5:
            break  # on a busy machine a few rounds may come to no deletion
        for line in lines_until_killed(folder, storage, 1_000_000 * round_number, choose):
            word, image_id, *number = line.split()
            said[word][image_id] = int(number[0]) if number else 0

    expected, gone = said["added"].keys() - said["deleting"].keys(), said["deleted"].keys()
    assert len(expected) >= 2 * kills
    assert len(said["edited"]) >= kills
    assert len(gone) >= kills // 5
    with Gallery.open(folder, fingerprint, storage=storage) as gallery:
        image_ids, embeddings = gallery.embeddings()
        assert expected <= set(image_ids)
        assert not gone & set(image_ids)
        for image_id, embedding in zip(image_ids, embeddings, strict=True):
            assert gallery.search(embedding)[0].image.image_id == image_id
            assert gallery.local_features([image_id])[0] is not None
            image = gallery.get(image_id)
            assert hashlib.sha256(Path(image.path).read_bytes()).hexdigest() == image.content_hash
            assert gallery.preview_path(image_id).stat().st_size == 2_000
            check_edits(image_id, image.place, said["edited"].get(image_id, 0), said["editing"].get(image_id, 0))
        assert gallery.places().total == len(image_ids)
        sweep(gallery._database, gallery._files)
        for kind in ("originals", "previews"):
            assert sum(1 for path in (folder / kind).rglob("*") if path.is_file()) == len(image_ids)


def lines_until_killed(folder: Path, storage: Storage, first_seed: int, choose: random.Random) -> list[str]:
    """Let a process change the gallery, kill it at a random point, and return what it had said.

    One time in ten it is killed while it still opens the gallery.
    """
    command = [
        sys.executable,
        Path(__file__).with_name("changing_process.py"),
        folder,
        str(first_seed),
        storage.database_url,
    ]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        said = [] if choose.random() < 0.1 else [process.stdout.readline() for _ in range(choose.randint(1, 40))]
        with suppress(subprocess.TimeoutExpired):
            process.wait(choose.uniform(0, 0.02 if said else 1))
        process.kill()
        return said + process.stdout.readlines()
