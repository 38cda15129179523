"""Matches go on while photos are added and deleted; what was reported as deleted is never seen again."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from fakes.images import draw_place, encode
from in_process import AppClient

PHOTO = encode(draw_place(1))
ROUNDS = 6


def test_a_deleted_image_is_in_no_later_answer(filled: AppClient):
    """No match, search or list that begins after the reply to a delete shows the image; lasting ones always match."""
    deleted: set[str] = set()  # grows only; adding to a set is atomic
    finished = Event()

    def match() -> int:
        answers = 0
        while not finished.is_set() or not answers:
            gone = frozenset(deleted)
            answer = filled.post("/match", files={"file": ("q.jpg", PHOTO)}, data={"top_k": "50"})
            assert answer.status_code == 200
            shown = [candidate["image_id"] for candidate in answer.json()["candidates"]]
            assert gone.isdisjoint(shown)
            assert answer.json()["candidates"]
            listed = [image["id"] for image in filled.get("/index/images", params={"limit": 200}).json()["images"]]
            assert gone.isdisjoint(listed)
            answers += 1
        return answers

    def change(first_seed: int) -> None:
        for seed in range(first_seed, first_seed + ROUNDS):
            added = filled.post("/index/images", files={"file": (f"{seed}.jpg", encode(draw_place(seed)))}).json()
            image_id = added["results"][0]["image"]["id"]
            assert filled.request("DELETE", f"/index/images/{image_id}").status_code in {200, 204}
            deleted.add(image_id)
            assert filled.get(f"/index/images/{image_id}/preview").status_code == 404

    with ThreadPoolExecutor(4) as pool:
        matching = [pool.submit(match) for _ in range(2)]
        changing = [pool.submit(change, first_seed) for first_seed in (100, 200)]
        try:
            for future in changing:
                future.result()
        finally:
            finished.set()
        assert all(future.result() >= 1 for future in matching)

    assert len(deleted) == 2 * ROUNDS
    assert len(filled.get("/index/images").json()["images"]) == 6
