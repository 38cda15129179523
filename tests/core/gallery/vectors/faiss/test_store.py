"""Vectors in memory after changes by other processes, and after statements that fail."""

import random

import numpy as np
import pytest
from databases import on_both_databases

from core.gallery import Gallery
from core.gallery.database import embeddings as vector_rows
from core.gallery.vectors.faiss import store as index_follower
from core.gallery.vectors.faiss.store import FaissStore

pytestmark = on_both_databases

DIM = 16


class Broken(Exception):
    """The connection broke."""


class Breaking:
    """A connection that breaks at its statement number ``breaks_at``."""

    def __init__(self, connection, breaks_at: int) -> None:
        self._connection = connection
        self._left = breaks_at

    def execute(self, sql, values=()):
        if sql != "ROLLBACK":
            if not self._left:
                raise Broken
            self._left -= 1
        return self._connection.execute(sql, values)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Several chunks of few images."""
    monkeypatch.setattr(vector_rows, "_ROWS_PER_CHUNK", 4)


@pytest.fixture
def museums(gallery, new_image) -> Gallery:
    """Collections of 11, 9 and 9 images; the last two have as many, and change names later."""
    for number, (collection, images) in enumerate({"museum": 11, "castle": 9, "garden": 9}.items()):
        gallery.add([new_image(100 * number + seed, collection=collection) for seed in range(images)])
    return gallery


def ids_of(gallery: Gallery, collection: str) -> list[str]:
    """The ids of a collection's images, oldest first."""
    return [image.image_id for image in gallery.all_images(collection)]


def add(gallery: Gallery, new_image) -> None:
    """To two collections that are known, and to one that is not."""
    for number, collection in enumerate(("museum", "castle", "tower")):
        gallery.add([new_image(1000 + 10 * number + seed, collection=collection) for seed in range(6)])


def delete(gallery: Gallery, new_image) -> None:
    """The newest, the oldest and one in between."""
    for position in (-1, 0, 3):
        gallery.delete(ids_of(gallery, "museum")[position])


def replace(gallery: Gallery, new_image) -> None:
    """As many are added as deleted."""
    for image_id in ids_of(gallery, "museum")[2:5]:
        gallery.delete(image_id)
    gallery.add([new_image(1000 + seed, collection="museum") for seed in range(3)])


def swap(gallery: Gallery, new_image) -> None:
    """Two collections of one size exchange their names."""
    for name, new_name in (("castle", "third"), ("garden", "castle"), ("third", "garden")):
        gallery.rename_collection(name, new_name)


def rename_over(gallery: Gallery, new_image) -> None:
    """A collection is deleted, and another gets its name and grows."""
    gallery.delete_collection("castle")
    gallery.rename_collection("garden", "castle")
    gallery.add([new_image(1000, collection="castle")])


def everything(gallery: Gallery, new_image) -> None:
    """All of that."""
    for change in (add, delete, replace, swap, rename_over):
        change(gallery, new_image)


CHANGES = [add, delete, replace, swap, rename_over, everything]


def stored_in(gallery: Gallery) -> dict[str, set[int]]:
    """The seqs of each collection."""
    with gallery._database.reading() as connection:
        stored = dict[str, set[int]]()
        for collection, seq in connection.execute("SELECT collection, seq FROM images"):
            stored.setdefault(collection, set()).add(seq)
    return stored


def held_by(store: FaissStore) -> dict[str, set[int]]:
    """The same of what is in memory; an id held twice would fail."""
    held = {collection: ids.tolist() for collection, ids in store._index.ids().items() if len(ids)}
    assert sum(map(len, held.values())) == len({seq for ids in held.values() for seq in ids})
    return {collection: set(ids) for collection, ids in held.items()}


def catch_up(store: FaissStore, gallery: Gallery, breaks_at: int | None = None) -> bool:
    """Follow what was committed; whether it succeeded."""
    with gallery._database.reading() as connection:
        try:
            store.catch_up(connection if breaks_at is None else Breaking(connection, breaks_at))
        except Broken:
            return False
    return True


def assert_agrees(store: FaissStore, gallery: Gallery) -> None:
    """Each image is found under its collection by its vector, and nothing else is there."""
    stored = stored_in(gallery)
    assert held_by(store) == stored
    with gallery._database.reading() as connection:
        for collection in stored:
            for seqs, _, vectors in vector_rows.read_embeddings(connection, collection, DIM):
                for seq, vector in zip(seqs, vectors, strict=True):
                    assert store._index.search(collection, vector, 1)[0].tolist() == [seq]


@pytest.mark.parametrize("change", CHANGES)
def test_changes_of_others_are_followed(museums, new_image, change):
    """Whatever other processes have done since, the next search has exactly what is there then."""
    store = FaissStore(DIM)
    catch_up(store, museums)

    change(museums, new_image)

    assert catch_up(store, museums)
    assert_agrees(store, museums)


def test_what_others_only_added_is_not_compared(museums, new_image, monkeypatch):
    """Images added by another process cost a count of the rows, not the look at each of them that a deletion takes."""
    store = FaissStore(DIM)
    catch_up(store, museums)
    monkeypatch.delattr(index_follower, "sums_by_collection")

    museums.add([new_image(2000 + seed, collection="museum") for seed in range(6)])

    assert catch_up(store, museums)
    assert_agrees(store, museums)
    museums.delete(ids_of(museums, "castle")[0])
    with pytest.raises(NameError):
        catch_up(store, museums)


@pytest.mark.parametrize("seed", range(4))
def test_any_course_of_changes_and_failures_ends_in_agreement(museums, new_image, seed):
    """Own changes, those of others and broken connections in any order: what is found is what is there."""
    choose = random.Random(seed)
    store = FaissStore(DIM)
    for step in range(60):
        collections = [summary.name for summary in museums.collections()]
        chosen = choose.choice(collections)
        match choose.choice(["add", "add", "delete", "rename", "break", "follow"]):
            case "add":
                chosen = choose.choice([chosen, f"new {step}"])
                seeds = range(5000 + 10 * step, 5000 + 10 * step + choose.randint(1, 6))
                museums.add([new_image(number, collection=chosen) for number in seeds])
            case "delete":
                museums.delete(choose.choice(ids_of(museums, chosen)))
            case "rename":
                museums.rename_collection(chosen, choose.choice(sorted({"a", "b", str(step)} - {*collections})))
            case "break":
                catch_up(store, museums, choose.randrange(15))
            case "follow":
                assert catch_up(store, museums)
                assert held_by(store) == stored_in(museums)
    assert catch_up(store, museums)
    assert_agrees(store, museums)


@pytest.mark.parametrize("change", CHANGES)
def test_a_failed_statement_loses_no_vector(museums, new_image, change):
    """Whichever statement fails, what was there and still is stays in memory, and the next search completes it."""
    loaded = [FaissStore(DIM) for _ in range(60)]
    for store in loaded:
        catch_up(store, museums)
    before = stored_in(museums)
    change(museums, new_image)
    after = stored_in(museums)
    lasting = {name: ids & after.get(name, set()) for name, ids in before.items()}

    for breaks_at, store in enumerate(loaded):
        if catch_up(store, museums, breaks_at):
            break
        held = held_by(store)
        assert all(ids <= held.get(name, set()) for name, ids in lasting.items())
        assert catch_up(store, museums)
        assert_agrees(store, museums)

    assert 3 < breaks_at < len(loaded) - 1


@pytest.mark.parametrize("change", CHANGES)
def test_a_first_load_that_fails_goes_on(museums, new_image, change):
    """Whichever statement fails, and whatever changes meanwhile, the next attempt ends with exactly what is there."""
    halves = [FaissStore(DIM)]
    while not catch_up(halves[-1], museums, breaks_at=len(halves) - 1):
        halves.append(FaissStore(DIM))
    assert len({len(store._index) for store in halves}) > 5
    change(museums, new_image)

    for store in halves:
        assert catch_up(store, museums)
        assert_agrees(store, museums)


def test_a_change_that_fails_in_memory_is_made_good(museums, new_image, monkeypatch):
    """An own change that is committed, and then fails in memory, is found by the next search."""
    index = museums._vectors._index

    def fail(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(index, "add", fail)
        with pytest.raises(MemoryError):
            museums.add([new_image(1000, collection="museum")])

    found = museums.search(new_image(1000).embedding, "museum", 1)
    assert found[0].similarity == pytest.approx(1, abs=1e-5)
    assert np.concatenate(list(index.ids().values())).size == museums.count()
