"""The retrieval service is killed again and again while several clients add, edit and delete."""

import hashlib
import random
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from queue import SimpleQueue

import httpx
import pytest
from edited_places import check_edits, edited_place
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from retrieval_process import start_retrieval

from core.gallery import Gallery
from core.imaging.decoding import open_image

CLIENTS = 3
# A JPEG may be followed by anything: many different files of one picture, without drawing each.
PICTURES = [encode(draw_place(seed, (160, 120))) for seed in range(8)]


class Clients:
    """What all clients were told: ids acknowledged as added, asked to be deleted, acknowledged as deleted; edits."""

    def __init__(self) -> None:
        self.added = set[str]()
        self.asked_to_go = set[str]()
        self.gone = set[str]()
        self.edits_asked = dict[str, int]()
        self.edits_acknowledged = dict[str, int]()
        self.answers: SimpleQueue[int] = SimpleQueue()

    def change(self, address: str, seed: int) -> None:
        """Add two images at a time, edit one of them twice and delete the other, until the service is gone."""
        choose = random.Random(seed)
        with suppress(httpx.TransportError), httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
            while True:
                photos = [choose.choice(PICTURES) + choose.randbytes(16) for _ in range(2)]
                reply = client.post("/index/images", files=[("files", ("photo.jpg", photo)) for photo in photos])
                assert reply.status_code == 200, reply.text
                first, second = (result["image"]["id"] for result in reply.json()["results"])
                self.added |= {first, second}
                self.answers.put(reply.status_code)
                for number in (1, 2):
                    self.edit(client, first, number)
                self.asked_to_go.add(second)
                assert client.delete(f"/index/images/{second}").status_code == 204
                self.gone.add(second)

    def edit(self, client: httpx.Client, image_id: str, number: int) -> None:
        """Change every field of what an image shows."""
        place = edited_place(image_id, number)
        change = {
            "place_id": place.place_id,
            "place_name": place.name,
            "description": place.description,
            "metadata": place.metadata,
            "latitude": place.latitude,
            "longitude": place.longitude,
        }
        self.edits_asked[image_id] = number
        assert client.patch(f"/index/images/{image_id}", json=change).status_code == 200
        self.edits_acknowledged[image_id] = number
        self.answers.put(200)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kills", [1, pytest.param(100, marks=pytest.mark.slow)])
def test_acknowledged_changes_survive_a_killed_service(tmp_path, kills):
    """Whenever the service is killed, what it had answered is so: images are there, as edited; deleted ones not."""
    folder, clients, choose = tmp_path / "gallery", Clients(), random.Random(kills)
    for round_number in range(kills):
        clients.answers = SimpleQueue()
        with serving(folder) as (process, address), ThreadPoolExecutor(CLIENTS) as pool:
            running = [pool.submit(clients.change, address, round_number * CLIENTS + n) for n in range(CLIENTS)]
            try:
                for _ in range(choose.randint(1, 24)):
                    clients.answers.get(timeout=60)
                process.join(choose.uniform(0, 0.1))
            finally:
                process.kill()
            for client in running:
                client.result()

    assert len(clients.added) >= 2 * kills
    assert len(clients.edits_acknowledged) >= kills // 2
    encoder = ThumbnailEncoder(local_features=True)
    with Gallery.open(folder, encoder.fingerprint) as gallery:
        image_ids, embeddings = gallery.embeddings()
        assert clients.added - clients.asked_to_go <= set(image_ids)
        assert not clients.gone & set(image_ids)
        for image_id, embedding in zip(image_ids, embeddings, strict=True):
            path = gallery.original_path(image_id)
            assert hashlib.sha256(path.read_bytes()).hexdigest() == gallery.get(image_id).content_hash
            assert encoder.encode([open_image(path).image]).embeddings[0] == pytest.approx(embedding, abs=1e-6)
            assert open_image(gallery.preview_path(image_id)).width == 160
            assert gallery.local_features([image_id])[0] is not None
            acknowledged = clients.edits_acknowledged.get(image_id, 0)
            check_edits(image_id, gallery.get(image_id).place, acknowledged, clients.edits_asked.get(image_id, 0))
        assert gallery.places().total == len(image_ids)
        assert len(gallery.search(embeddings[0], top_k=len(image_ids))) == len(image_ids)


@contextmanager
def serving(folder: Path) -> Iterator[tuple[ForkServerProcess, str]]:
    """Start the service on a gallery and wait until it is ready; it is killed at the end at the latest."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = start_retrieval(folder, port)
    address = f"http://127.0.0.1:{port}"
    try:
        while not is_ready(address):
            process.join(0.05)
            if process.exitcode is not None:
                raise RuntimeError(f"the service ended with status {process.exitcode}")
        yield process, address
    finally:
        process.kill()
        process.join()


def is_ready(address: str) -> bool:
    """Ask the service."""
    with suppress(httpx.TransportError):
        return httpx.get(f"{address}/health/ready", trust_env=False).status_code == 200
    return False
