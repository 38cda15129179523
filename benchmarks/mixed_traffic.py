"""Generates mixed traffic of visitors, operators and misbehaving clients.

Visitors match photographs in the gallery and others; operators add photos and ZIP archives, edit, delete and list;
misbehaving clients upload invalid files and hang up. The gallery is kept near a given number of images.
"""

import io
import random
import socket
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

import httpx
from PIL import Image
from skimage import data as skimage_data

KNOWN = ("astronaut.png", "brick.png", "chelsea.png", "coffee.png", "gravel.png", "motorcycle_left.png", "rocket.jpg")
UNKNOWN = ("hubble_deep_field.jpg", "ihc.png", "retina.jpg")

HUNG_UP = "hung up"


class Photographs:
    """JPEGs of random views of scikit-image's photographs."""

    def __init__(self) -> None:
        folder = Path(skimage_data.__file__).parent
        self._pictures = {name: Image.open(folder / name).convert("RGB") for name in KNOWN + UNKNOWN}

    def view(self, names: Sequence[str], choose: random.Random) -> bytes:
        """Draw a slightly different view of one of the photographs."""
        picture = self._pictures[choose.choice(names)]
        width, height = picture.size
        left, top = (choose.uniform(0, 0.15) for _ in range(2))
        right, bottom = (choose.uniform(0.85, 1) for _ in range(2))
        box = (int(left * width), int(top * height), int(right * width), int(bottom * height))
        seen = picture.crop(box).rotate(choose.uniform(-5, 5), Image.Resampling.BILINEAR, expand=True)
        out = io.BytesIO()
        seen.save(out, "JPEG", quality=choose.randint(80, 95))
        return out.getvalue()


class Traffic:
    """The actions of all callers. Several threads share one object.

    Attributes:
        answers: number of answers by action and status; a status may be ``HUNG_UP`` or the name of an exception.
    """

    def __init__(self, address: str, images: int, photographs: Photographs) -> None:
        self.answers: Counter[tuple[str, str]] = Counter()
        self._address = address
        self._images = images
        self._photographs = photographs
        self._ids = list[str]()
        self._lock = Lock()

    def fill(self) -> None:
        """Add the first photos to the gallery, without which no match is possible."""
        with httpx.Client(base_url=self._address, timeout=120, trust_env=False) as client:
            for seed in range(10):
                self._add_one(client, random.Random(f"first {seed}"))

    def run(self, seed: str, until_s: float) -> None:
        """Do random actions until ``until_s``; after a refusal, wait as long as Retry-After says."""
        choose = random.Random(seed)
        actions: dict[Callable[[httpx.Client, random.Random], httpx.Response | None], int] = {
            self._match_known: 6,
            self._match_unknown: 3,
            self._add_one: 3,
            self._add_zip: 1,
            self._edit: 3,
            self._delete: 5,
            self._list: 3,
            self._preview: 4,
            self._upload_rubbish: 2,
            self._hang_up: 2,
        }
        with httpx.Client(base_url=self._address, timeout=120, trust_env=False) as client:
            while time.monotonic() < until_s:
                action = choose.choices(list(actions), list(actions.values()))[0]
                try:
                    reply = action(client, choose)
                except httpx.TransportError as error:
                    self._count(action.__name__, type(error).__name__)
                else:
                    if reply is not None:
                        self._count(action.__name__, str(reply.status_code))
                        if "retry-after" in reply.headers:
                            time.sleep(float(reply.headers["retry-after"]))

    def _count(self, action: str, outcome: str) -> None:
        with self._lock:
            self.answers[action.strip("_"), outcome] += 1

    def _any_id(self, choose: random.Random) -> str | None:
        with self._lock:
            return choose.choice(self._ids) if self._ids else None

    def _match_known(self, client: httpx.Client, choose: random.Random) -> httpx.Response:
        photo = self._photographs.view(KNOWN, choose)
        fields = {"explain": "true"} if choose.random() < 0.2 else {}
        return client.post("/match", files={"file": ("query.jpg", photo)}, data=fields)

    def _match_unknown(self, client: httpx.Client, choose: random.Random) -> httpx.Response:
        return client.post("/match", files={"file": ("query.jpg", self._photographs.view(UNKNOWN, choose))})

    def _add_one(self, client: httpx.Client, choose: random.Random) -> httpx.Response:
        files = {"file": ("photo.jpg", self._photographs.view(KNOWN, choose))}
        return self._added(client.post("/index/images", files=files, data={"place_name": f"Place {choose.random()}"}))

    def _add_zip(self, client: httpx.Client, choose: random.Random) -> httpx.Response:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as entries:
            for number in range(3):
                entries.writestr(f"place-{number}/{number}.jpg", self._photographs.view(KNOWN, choose))
        return self._added(client.post("/index/images", files={"file": ("photos.zip", archive.getvalue())}))

    def _added(self, reply: httpx.Response) -> httpx.Response:
        if reply.status_code == 200:
            with self._lock:
                self._ids += [
                    result["image"]["id"] for result in reply.json()["results"] if result["status"] == "added"
                ]
        return reply

    def _edit(self, client: httpx.Client, choose: random.Random) -> httpx.Response | None:
        image_id = self._any_id(choose)
        change = {"description": "x" * choose.randint(1, 5000), "metadata": {"edit": choose.random()}}
        return None if image_id is None else client.patch(f"/index/images/{image_id}", json=change)

    def _delete(self, client: httpx.Client, _: random.Random) -> httpx.Response | None:
        """Delete a surplus image: caches grow with the gallery, which would hide leaks."""
        reply = None
        while image_id := self._surplus():
            reply = client.delete(f"/index/images/{image_id}")
        return reply

    def _surplus(self) -> str | None:
        with self._lock:
            return self._ids.pop(0) if len(self._ids) > self._images else None

    def _list(self, client: httpx.Client, choose: random.Random) -> httpx.Response:
        path = choose.choice(["/index/images?limit=100", "/index/places?q=Place", "/index/collections", "/metrics"])
        return client.get(path)

    def _preview(self, client: httpx.Client, choose: random.Random) -> httpx.Response | None:
        image_id = self._any_id(choose)
        what = choose.choice(["preview", "file"])
        return None if image_id is None else client.get(f"/index/images/{image_id}/{what}")

    def _upload_rubbish(self, client: httpx.Client, choose: random.Random) -> httpx.Response:
        photo = bytearray(self._photographs.view(KNOWN, choose))
        for _ in range(50):
            photo[choose.randrange(len(photo))] = choose.randrange(256)
        rubbish = choose.choice([choose.randbytes(1000), b"", bytes(photo[: len(photo) // 2]), bytes(photo)])
        files = {"file": ("rubbish.jpg", rubbish)}
        if choose.random() < 0.5:
            return client.post("/match", files=files)
        return self._added(client.post("/index/images", files=files))

    def _hang_up(self, _: httpx.Client, choose: random.Random) -> None:
        address = urlsplit(self._address)
        photo = self._photographs.view(KNOWN, choose)
        body = (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="q.jpg"\r\n\r\n' + photo + b"\r\n--x--\r\n"
        )
        head = f"POST /match HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {len(body)}\r\n"
        head += "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        with socket.create_connection((address.hostname or "", address.port or 80), timeout=60) as connection:
            connection.sendall(head.encode() + body[: choose.choice([0, len(body) // 2, len(body)])])
            # Some connections close before the request is processed, some while it is.
            connection.settimeout(choose.uniform(0.01, 0.5))
            with suppress(TimeoutError):
                connection.recv(1)
        self._count("hang_up", HUNG_UP)
