"""How large the previews of uploads are."""

from pathlib import Path

from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from in_process import AppClient

from core.imaging.decoding import decode_image
from services.retrieval.app import create_app
from services.retrieval.settings import RetrievalSettings


def test_previews_are_as_large_as_the_setting_says(folder: Path):
    """A museum whose verifier reads more than 640 pixels has larger ones of the photos that it adds from then on."""
    sizes = []
    for seed, settings in enumerate(
        (RetrievalSettings(data_dir=folder), RetrievalSettings(data_dir=folder, preview_side=906))
    ):
        with AppClient(create_app(settings, encoder=ThumbnailEncoder())) as client:
            photo = {"file": ("gate.jpg", encode(draw_place(seed, (2000, 1500)), "jpeg"))}
            client.post("/index/images", files=photo)
            images = client.get("/index/images").json()["images"]
            sizes.append(
                {image["id"]: decode_image(client.get(image["preview_url"]).content).image.size for image in images}
            )

    (first,) = sizes[0]
    assert sizes[0][first] == sizes[1].pop(first) == (640, 480)
    assert list(sizes[1].values()) == [(906, 680)]
