"""Run by the tests as a process of its own: adds images and prints the id of each as it is acknowledged.

python adding_process.py FOLDER FIRST_SEED COUNT [DATABASE_URL [MILVUS_OPTIONS]]
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.gallery import Gallery, NewImage, Storage
from core.results import EncoderFingerprint, FeatureView, LocalFeatures


def main(folder: str, first_seed: str, count: str, database_url: str = "", milvus_options: str = "") -> None:
    """Add ``count`` images, one by one."""
    fingerprint = EncoderFingerprint("drawn", "seeded", "none", 16)
    view = FeatureView(
        np.zeros((5, 2), np.float32), np.eye(5, 8, dtype=np.float16), np.ones(5, np.float32), size=(64, 48)
    )
    features = LocalFeatures((view,), "drawn")
    storage = Storage(database_url=database_url)
    if milvus_options:
        storage = replace(storage, vector_index="milvus", vector_index_options=json.loads(milvus_options))
    with Gallery.open(Path(folder), fingerprint, storage=storage) as gallery:
        for seed in range(int(first_seed), int(first_seed) + int(count)):
            rng = np.random.default_rng(seed)
            vector = rng.standard_normal(16).astype(np.float32)
            vector /= np.linalg.norm(vector)
            new = NewImage(
                rng.bytes(20_000),
                f"{seed}.jpg",
                "image/jpeg",
                4,
                3,
                b"\xff\xd8%s\xff\xd9" % rng.bytes(1_996),
                vector,
                features,
            )
            sys.stdout.write(f"{gallery.add([new])[0].image.image_id}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
