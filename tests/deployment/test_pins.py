"""The pinned versions can be installed by every Python that the project says it takes."""

import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

from packaging.specifiers import SpecifierSet

REPOSITORY = Path(__file__).parents[2]
PYTHONS = ("3.11.0", "3.12.0", "3.13.0")

# Pins that `make test` does not install: of the browser tests, which have an environment of their own, and of Windows.
ELSEWHERE = {"axe-playwright-python", "greenlet", "playwright", "pyee", "tzdata"}


def read_pins() -> Iterator[tuple[str, str]]:
    """Name and version of every pin in constraints.txt."""
    for line in (REPOSITORY / "constraints.txt").read_text().splitlines():
        name, found, version = line.partition("==")
        if found:
            yield name, version.partition(";")[0].strip()


def test_every_pin_admits_the_lowest_python():
    """What the pinned distributions say of Python, as installed here, admits the first release of each since ours."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={PYTHONS[0].rpartition('.')[0]}"
    refused, absent = [], set()
    for name, version in read_pins():
        try:
            installed = Distribution.from_name(name)
        except PackageNotFoundError:
            absent.add(name.lower())
            continue
        assert installed.version.partition("+")[0] == version, f"{name} {installed.version} is installed, not the pin"
        asks_for = installed.metadata["Requires-Python"] or ""
        if any(python not in SpecifierSet(asks_for) for python in PYTHONS):
            refused.append(f"{name} {version} wants {asks_for}")
    assert not refused
    assert absent <= ELSEWHERE
