"""Reads the PDFs that the page saves: one page with one picture."""

import re
from io import BytesIO

from PIL import Image


def read_pdf(pdf: bytes) -> tuple[tuple[int, int], Image.Image]:
    """The page's size in points and its picture; fails where a reader would not find an object or its end."""
    table = re.search(rb"startxref\n(\d+)\n%%EOF\n$", pdf)
    assert table
    places = re.findall(rb"(\d{10}) 00000 n \n", pdf[int(table[1]) :])
    assert pdf[int(table[1]) :].startswith(b"xref\n0 %d\n" % (len(places) + 1))
    objects = [pdf[int(place) :] for place in places]
    for number, found in enumerate(objects, start=1):
        assert found.startswith(b"%d 0 obj\n<<" % number)
        stream = re.match(rb"[^\n]*\n[^\n]*/Length (\d+)>>\nstream\n", found)
        end = stream.end() + int(stream[1]) if stream else 0
        assert re.match(rb"\nendstream\nendobj\n" if stream else rb"[^\n]*\n[^\n]*\nendobj\n", found[end:])

    (sides,) = re.findall(rb"/MediaBox\[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    (picture,) = [found for found in objects if b"/DCTDecode" in found.split(b"\n")[1]]
    width, height = (round(float(side)) for side in sides)
    return (width, height), Image.open(BytesIO(picture[picture.index(b"stream\n") + 7 :]))
