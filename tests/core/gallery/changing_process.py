"""Run by the tests as a process of its own: several threads add, edit and delete images, and say so line by line.

python changing_process.py FOLDER FIRST_SEED [DATABASE_URL]

"added ID", "edited ID NUMBER" and "deleted ID" are printed once the gallery has acknowledged, "editing ID NUMBER" and
"deleting ID" before it is asked.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from edited_places import edited_place

from core.gallery import Gallery, ImageChange, NewImage, Storage
from core.results import EncoderFingerprint, FeatureView, LocalFeatures

THREADS = 3
FINGERPRINT = EncoderFingerprint("drawn", "seeded", "none", 16)
VIEW = FeatureView(np.zeros((5, 2), np.float32), np.eye(5, 8, dtype=np.float16), np.ones(5, np.float32), size=(64, 48))


def main(folder: str, first_seed: str, database_url: str = "") -> None:
    """Change the gallery until killed."""
    storage = Storage(database_url=database_url)
    with Gallery.open(Path(folder), FINGERPRINT, storage=storage) as gallery, ThreadPoolExecutor(THREADS) as pool:
        for thread in [pool.submit(_change, gallery, int(first_seed) + 100_000 * number) for number in range(THREADS)]:
            thread.result()


def _change(gallery: Gallery, first_seed: int) -> None:
    """Add images, two at a time, edit one of them and delete about every second other one."""
    for seed in range(first_seed, first_seed + 100_000, 2):
        kept, other = (result.image.image_id for result in gallery.add([_new_image(seed), _new_image(seed + 1)]))
        _say(f"added {kept}\nadded {other}\n")
        for number in (1, 2):
            _say(f"editing {kept} {number}\n")
            _edit(gallery, kept, number)
            _say(f"edited {kept} {number}\n")
        if seed % 4:
            _say(f"deleting {other}\n")
            gallery.delete(other)
            _say(f"deleted {other}\n")


def _edit(gallery: Gallery, image_id: str, number: int) -> None:
    place = edited_place(image_id, number)
    change = ImageChange(
        place_id=place.place_id,
        place_name=place.name,
        description=place.description,
        metadata=place.metadata,
        latitude=place.latitude,
        longitude=place.longitude,
    )
    gallery.update(image_id, change)


def _new_image(seed: int) -> NewImage:
    rng = np.random.default_rng(seed)
    vector = rng.standard_normal(16).astype(np.float32)
    vector /= np.linalg.norm(vector)
    features = LocalFeatures((VIEW,), "drawn")
    return NewImage(
        rng.bytes(20_000), f"{seed}.jpg", "image/jpeg", 4, 3, b"\xff\xd8%s\xff\xd9" % rng.bytes(1_996), vector, features
    )


def _say(lines: str) -> None:
    # One system call, so that no kill and no other thread comes between the characters.
    os.write(sys.stdout.fileno(), lines.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
