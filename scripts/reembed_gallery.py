"""Embed a gallery's photos with another encoder, then switch to it; ids, places, collections and times are kept.

    python scripts/reembed_gallery.py --gallery data/gallery --encoder dinov3 --model MODEL
    python scripts/reembed_gallery.py --gallery data/gallery --encoder dinov3 --model MODEL --switch
    python scripts/reembed_gallery.py --gallery data/gallery --rollback

The first command may run for hours while the services run; a second start continues an interrupted run. The second
command embeds the photos added since and then renames one file. For it, and for the third, stop the services.

For galleries on one machine; for a gallery in PostgreSQL, build a new one with the other encoder.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from core.building.reembedding import reembed
from core.encoders import ENCODERS
from core.errors import SemanticMatchError
from core.gallery.maintenance.encoder_switch import check_unused, roll_back, switch
from core.gallery.maintenance.reembedded_vectors import ReembeddedVectors
from core.m1_retrieval import create_encoder
from core.runtime.threads import limit_threads
from scripts.options import json_object


def main(argv: Sequence[str] | None = None) -> int:
    """Embed, switch or roll back; return 0 on success."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.rollback:
            print(f"{arguments.gallery} is made by {roll_back(arguments.gallery)} again")
        else:
            _reembed(arguments)
    except SemanticMatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gallery", type=Path, required=True, help="folder of the gallery")
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--encoder", help=f"the new encoder: {', '.join(ENCODERS.names)}")
    task.add_argument("--rollback", action="store_true", help="undo the last switch, if nothing was changed since")
    parser.add_argument("--switch", action="store_true", help="switch the gallery to the new encoder")
    parser.add_argument("--model", help="model id or folder, for encoders that load one")
    parser.add_argument(
        "--encoder-options",
        type=json_object,
        default={},
        help="further options, a JSON object as in M1_ENCODER_OPTIONS",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N")
    parser.add_argument("--batch-size", type=int, default=16, help="photos per encoder call")
    parser.add_argument("--threads", type=int, default=1, help="threads per numerical library")
    return parser


def _reembed(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    if arguments.switch:
        check_unused(arguments.gallery)
    limit_threads(arguments.threads)
    options = ({"model": arguments.model} if arguments.model else {}) | arguments.encoder_options
    encoder = create_encoder(arguments.encoder, arguments.device, **options)
    started = time.perf_counter()
    with ReembeddedVectors(arguments.gallery, encoder.fingerprint) as reembedded:
        embedded = 0
        with tqdm(total=len(reembedded.missing()), unit="photo", disable=None) as progress:
            for settled in reembed(reembedded, encoder, batch_size=arguments.batch_size):
                embedded += settled
                progress.update(settled)
        print(f"{embedded} photos embedded by {encoder.fingerprint} in {time.perf_counter() - started:.1f} s")
        if arguments.switch:
            switch(reembedded)
            print(f"{arguments.gallery} is made by {encoder.fingerprint} now; --rollback goes back")
        else:
            print("nothing has changed yet: stop the services, then run this again with --switch")


if __name__ == "__main__":
    raise SystemExit(main())
