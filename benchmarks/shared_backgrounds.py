"""Different objects before one background: are they taken for each other?

    python -m benchmarks.shared_backgrounds --eval-dir PHOTOS

PHOTOS holds ``objects/`` with a manifest.csv (see core/building/labels.py). Objects of the set are pasted before brick,
gravel and grass (photographs of scikit-image), and stamped with one watermark. A gallery of eight such photos is asked
about those eight objects and about eight others, seen again from a little aside. Prints, for the places of half A and
half B of the set, how many pairs of different objects were called the same and how many objects were found; exits with
1 if a bar is missed. The radius and the share in ``shared_points`` were set on half A.
"""

import argparse
import sys
from collections.abc import Sequence
from hashlib import md5, sha256
from pathlib import Path

import cv2
import numpy as np
import skimage
from PIL import Image, ImageDraw, ImageFont

from benchmarks.bars import compare
from core.building.labels import LabelledPhoto, read_folder
from core.imaging.decoding import decode_image
from core.results import Photo
from core.runtime.threads import limit_threads
from core.verifiers.geometric import GeometricVerifier

GROUP = 8
SIZE = (900, 675)
BACKGROUNDS = ("brick", "gravel", "grass", "watermark")
BARS = [
    (f"half {half}", figure, kind, bar)
    for half in "AB"
    for figure, kind, bar in (("different objects called the same", "<=", 0.05), ("known objects found", ">=", 0.85))
]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and compare with the bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eval-dir", type=Path, required=True)
    arguments = parser.parse_args(argv)
    objects = arguments.eval_dir / "objects"
    if not objects.is_dir():
        print(f"error: no evaluation photos in {objects}: nothing was measured", file=sys.stderr)
        return 2
    limit_threads(1)
    references = [photo for photo in read_folder(objects, "reference") if photo.place]
    verifier = GeometricVerifier()
    figures = {}
    for half in (0, 1):
        places: dict[str, LabelledPhoto] = {}
        for photo in references:
            if photo.place and md5(photo.place.place_id.encode()).digest()[0] % 2 == half:
                places.setdefault(photo.place.place_id, photo)
        figures[f"half {'AB'[half]}"] = _measure(list(places.values())[: 2 * GROUP], verifier)
    verifier.close()
    return compare(figures, BARS)


def _measure(photos: Sequence[LabelledPhoto], verifier: GeometricVerifier) -> dict[str, float]:
    same = pairs = found = asked = 0
    for background in BACKGROUNDS:
        chance = np.random.default_rng(0)
        scenes = [stage(decode_image(photo.path.read_bytes()).image, background, chance) for photo in photos]
        gallery = [
            Photo(scene.copy, sha256(scene.tobytes()).hexdigest(), shows=str(number))
            for number, scene in enumerate(scenes[:GROUP])
        ]
        for number, scene in enumerate(scenes):
            query = _seen_aside(scene, chance)
            verdicts = verifier.verify(Photo(query.copy), gallery)
            called = [verdict.is_match for verdict in verdicts]
            same += sum(called) - (number < GROUP and called[number])
            pairs += GROUP - (number < GROUP)
            if number < GROUP:
                asked += 1
                found += called[number]
    print(f"{same} of {pairs} pairs of different objects called the same, {found} of {asked} known objects found")
    return {"different objects called the same": same / pairs, "known objects found": found / asked}


def stage(picture: Image.Image, background: str, chance: np.random.Generator) -> Image.Image:
    """Put a picture before a background, at a fifth of the photo; or stamp a watermark on it."""
    if background == "watermark":
        scene = picture.convert("RGB").resize(SIZE)
        drawing, font = ImageDraw.Draw(scene), ImageFont.load_default(44)
        for row in range(0, SIZE[1], 130):
            drawing.text((30, row), "(c) Museum Archive 2026 - No. 4711 - www", font=font, fill=(235, 235, 235))
        return scene
    texture = Image.fromarray(getattr(skimage.data, background)()).convert("RGB").resize((SIZE[0], SIZE[0]))
    scene = texture.crop((0, 0, *SIZE))
    small = picture.convert("RGB")
    small.thumbnail((SIZE[0] // 2, SIZE[1] // 2))
    left, top = (int(chance.integers(room // 4, 3 * room // 4)) for room in np.subtract(SIZE, small.size))
    scene.paste(small, (left, top))
    return scene


def _seen_aside(scene: Image.Image, chance: np.random.Generator) -> Image.Image:
    corners = np.array([(0, 0), (SIZE[0], 0), SIZE, (0, SIZE[1])], np.float32)
    moved = (corners + chance.uniform(-0.06, 0.06, (4, 2)) * SIZE).astype(np.float32)
    warp = cv2.getPerspectiveTransform(corners, moved)
    seen = cv2.warpPerspective(np.asarray(scene), warp, SIZE, borderMode=cv2.BORDER_REFLECT)
    return Image.fromarray((seen * chance.uniform(0.8, 1.0)).clip(0, 255).astype(np.uint8))


if __name__ == "__main__":
    raise SystemExit(main())
