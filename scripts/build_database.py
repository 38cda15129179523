"""Build a gallery from a folder of photos: one folder per place, or a manifest.csv.

    python scripts/build_database.py --image-dir photos/ --output-dir data/gallery

A second run adds new photos and skips known ones, so an interrupted run can simply be repeated; changed texts and
recordings of a manifest are updated. With --dry-run it prints the first places and adds nothing. The services can open
the result.
Large collections can be built in parts by several processes or machines; scripts/merge_galleries.py merges them:

    python scripts/build_database.py --image-dir photos/ --shard 3/8 --output-dir shards/3
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from core.building.corrections import correct_places
from core.building.indexing import FileOutcome, PhotoToIndex, index_photos
from core.building.labels import LabelledPhoto, scan_folder
from core.building.recordings import DescribedPlace
from core.building.verifier_features import VerifierFeatureMaker, are_wanted
from core.encoders import ENCODERS
from core.errors import BackendUnavailable, GalleryUnavailable, SemanticMatchError
from core.gallery import DEFAULT_COLLECTION, Gallery
from core.gallery.values import ImageChange, PlaceCorrections
from core.imaging.copies import PREVIEW_SIDE
from core.m1_retrieval import create_encoder
from core.results import GalleryImage
from core.runtime.threads import limit_threads
from scripts.folder_report import print_findings, print_first
from scripts.options import add_storage_options, json_object, print_any_name, shard, storage_of


def main(argv: Sequence[str] | None = None) -> int:
    """Build the gallery; return 0 if it holds images afterwards."""
    print_any_name()
    arguments = _parser().parse_args(argv)
    try:
        return _build(arguments)
    except SemanticMatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image-dir", type=Path, required=True, help="photos: a folder per place, or a manifest.csv")
    parser.add_argument(
        "--output-dir", type=Path, required=True, help="folder of the gallery; created if it does not exist"
    )
    parser.add_argument("--shard", type=shard, metavar="I/N", help="only part I of N; the same photos every time")
    parser.add_argument("--collection", default=DEFAULT_COLLECTION, help="collection of the photos: a museum or park")
    parser.add_argument(
        "--grouping",
        choices=("auto", "folder", "photo"),
        default="auto",
        help="which photos show the same place if no manifest says it: those of a folder, every photo its own, or as "
        "file names tell",
    )
    parser.add_argument("--dry-run", action="store_true", help="show the first places and add nothing")
    parser.add_argument("--encoder", default="embedded", help=f"one of {', '.join(ENCODERS.names)}")
    parser.add_argument("--model", help="model id or folder, for encoders that load one")
    parser.add_argument(
        "--encoder-options",
        type=json_object,
        default={},
        help="further options, a JSON object as in M1_ENCODER_OPTIONS",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N")
    parser.add_argument("--batch-size", type=int, default=16, help="photos per encoder call and per transaction")
    parser.add_argument("--threads", type=int, default=1, help="threads per numerical library")
    parser.add_argument(
        "--strip-metadata", action="store_true", help="store originals without position, camera, dates and texts"
    )
    parser.add_argument(
        "--preview-side",
        type=int,
        default=PREVIEW_SIDE,
        help=f"longest side of previews, {PREVIEW_SIDE} to 1280 pixels",
    )
    parser.add_argument(
        "--without-verifier-features",
        action="store_true",
        help="leave what unclear photos are compared by to the service, which makes it in the background",
    )
    parser.add_argument("--export-h5", type=Path, help="also write names and embeddings to this HDF5 file")
    add_storage_options(parser)
    return parser


def _build(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    limit_threads(arguments.threads)
    found = scan_folder(arguments.image_dir, "reference", arguments.shard, grouping=arguments.grouping)
    print_findings(found, arguments.image_dir)
    photos = [PhotoToIndex(photo.path, photo.place, photo.filename) for photo in found.photos]
    if not photos and arguments.shard is None:
        print(f"error: no photos in {arguments.image_dir}", file=sys.stderr)
        return 2
    if arguments.dry_run:
        print("nothing was added: --dry-run")
        return 0
    options = ({"model": arguments.model} if arguments.model else {}) | arguments.encoder_options
    encoder = create_encoder(arguments.encoder, arguments.device, **options)
    started = time.perf_counter()
    storage = storage_of(arguments)
    with Gallery.open(
        arguments.output_dir,
        encoder.fingerprint,
        storage=storage,
        load_vectors=False,
        preview_side=arguments.preview_side,
    ) as gallery:
        outcomes = index_photos(
            gallery,
            encoder,
            photos,
            arguments.collection,
            batch_size=arguments.batch_size,
            without_metadata=arguments.strip_metadata,
        )
        counts, images = _count(tqdm(outcomes, total=len(photos), unit="photo", disable=None), found.photos)
        corrected = _correct_texts(gallery, arguments.collection, found.photos, images)
        if arguments.shard is not None:
            print(f"shard {arguments.shard} of {arguments.image_dir}: {len(photos)} photos")
        place = str(gallery.folder) if storage.is_local else "the shared gallery"
        _print_summary(gallery, place, arguments.collection, counts, time.perf_counter() - started)
        with_texts = sum(place.change != ImageChange() for place in corrected.changes)
        if with_texts:
            print(f"the texts of {with_texts} places were corrected by the manifest")
        recordings = sum(len(place.recordings) for place in corrected.changes)
        if recordings:
            print(f"{recordings} recordings of the manifest were stored")
        for reason in corrected.refused:
            print(f"not corrected: {reason}")
        if arguments.export_h5:
            _export(gallery, arguments.collection, arguments.export_h5)
        if not arguments.without_verifier_features and are_wanted(gallery):
            _make_verifier_features(gallery)
        # A shard of a few photos may have none.
        return 0 if gallery.count(arguments.collection) or not photos else 2


def _count(
    outcomes: Iterable[FileOutcome], photos: Sequence[LabelledPhoto]
) -> tuple[Counter[str], list[GalleryImage | None]]:
    """Count the outcomes, and print why files were rejected or where duplicates are."""
    counts = Counter[str]()
    rejected, elsewhere = [], []
    images = []
    for outcome, photo in zip(outcomes, photos, strict=True):
        counts[outcome.status] += 1
        images.append(outcome.image)
        if outcome.image is None:
            rejected.append(f"rejected: {outcome.path}: {outcome.reason}")
        elif outcome.status == "duplicate" and photo.names_place and not photo.shows(outcome.image.place.place_id):
            elsewhere.append(f"already there, as a photo of {outcome.image.place.name!r}: {outcome.path}")
    for line in rejected:
        print(line)
    print_first(elsewhere)
    return counts, images


def _make_verifier_features(gallery: Gallery) -> None:
    """Make what unclear photos are compared by; without it, the gallery is complete all the same."""
    from tqdm import tqdm

    maker = VerifierFeatureMaker(gallery)
    pending = maker.pending()
    try:
        first = next(pending, None)
        images = pending if first is None else chain([first], pending)
        for image in tqdm(images, total=maker.left, unit="photo", desc="features for the verifier", disable=None):
            maker.make(image)
    except (BackendUnavailable, GalleryUnavailable) as error:
        print(
            f"the verifier's features are not complete, the service or another run makes them: {error}", file=sys.stderr
        )


def _correct_texts(
    gallery: Gallery, collection: str, photos: Sequence[LabelledPhoto], images: Sequence[GalleryImage | None]
) -> PlaceCorrections:
    """Update the places whose texts or recordings differ from the manifest's."""
    described = [
        DescribedPlace(
            photo.place.place_id if photo.names_place and photo.place else image.place.place_id,
            photo.row,
            photo.recordings,
        )
        for photo, image in zip(photos, images, strict=True)
        if photo.row is not None and image is not None
    ]
    return correct_places(gallery, collection, described)


def _print_summary(gallery: Gallery, place: str, collection: str, counts: Counter[str], seconds: float) -> None:
    print(
        f"{counts['added']} added, {counts['duplicate']} already there, {counts['rejected']} rejected "
        f"in {seconds:.1f} s ({counts.total() / max(seconds, 1e-9):.1f} photos/s)"
    )
    places = gallery.places(collection, limit=1).total
    print(f"{place}: collection {collection!r} holds {gallery.count(collection)} images of {places} places")
    print(f"encoder: {gallery.fingerprint}")


def _export(gallery: Gallery, collection: str, path: Path) -> None:
    """Write ``names``, ``place_ids``, ``image_ids`` and ``embeddings`` (float32 [N, D]) of one collection."""
    import h5py

    image_ids, embeddings = gallery.embeddings(collection)
    images = [gallery.get(image_id) for image_id in image_ids]
    with h5py.File(path, "w") as file:
        text = h5py.string_dtype()
        file.create_dataset("names", data=[image.filename for image in images], dtype=text)
        file.create_dataset("place_ids", data=[image.place.place_id for image in images], dtype=text)
        file.create_dataset("image_ids", data=image_ids, dtype=text)
        file.create_dataset("embeddings", data=embeddings)
        file.attrs["encoder"] = str(gallery.fingerprint)
    print(f"{path}: {len(image_ids)} names and embeddings")


if __name__ == "__main__":
    raise SystemExit(main())
