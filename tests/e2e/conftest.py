"""The real product in a process of its own, and a real browser in front of it.

Not part of a plain test run: `make test-e2e` selects the marker.
"""

import shutil
from collections.abc import Callable, Iterator
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.product import PUBLIC_NAME, Product, start_product
from e2e.scenes import fill

if TYPE_CHECKING:
    from e2e.visitor import Visitor
    from playwright.sync_api import Browser

CHROMIUM = shutil.which("chromium")
PATIENCE_MS = 30_000  # a match costs seconds where other work shares the two cores
# The tests cannot even be imported without it. An ordinary test run need not have it.
collect_ignore_glob = [] if find_spec("playwright") else ["test_*.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Never be silent about tests that were not even collected."""
    if collect_ignore_glob:
        terminalreporter.write_line("NOT COLLECTED: tests/e2e, playwright is not installed: `make test-e2e`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark everything in this folder, and skip it with a reason where nobody asked for it or no browser is there."""
    reason = None
    if CHROMIUM is None:
        reason = "NO BROWSER: the page is not tested; install Debian's chromium"
    elif "e2e" not in config.option.markexpr:
        reason = "needs a browser and the models: `make test-e2e`"
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if reason is not None:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The running product, shared: every test works in a collection of its own."""
    with start_product(tmp_path_factory.mktemp("gallery"), GATEWAY_ALLOWED_HOSTS=PUBLIC_NAME) as running:
        yield running


@pytest.fixture(scope="session")
def lessened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product whose gateway gives the verifier no time, and that keeps no matches, and so no feedback."""
    settings = {"GATEWAY_VERIFIER_TIMEOUT_S": "0.001", "M1_MATCH_LOG_DAYS": "0"}
    with start_product(tmp_path_factory.mktemp("lessened"), **settings) as running:
        fill(running, "museum")
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """One chromium for all tests; every visitor has a profile of their own."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", f"--host-resolver-rules=MAP {PUBLIC_NAME} 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which a package of PyPI carries."""
    return (files("axe_playwright_python") / "axe.min.js").read_text()


@pytest.fixture
def visit(browser: "Browser", product: Product) -> Iterator[Callable[..., "Visitor"]]:
    """Opens the page. Whatever the page complains about in the console fails the test at its end."""
    from e2e.visitor import visitors_at

    with visitors_at(browser, product.address) as open_page:
        yield open_page


@pytest.fixture
def reach(browser: "Browser", product: Product) -> Iterator[Callable[..., "Visitor"]]:
    """Opens the page at the name by which visitors' phones reach it."""
    from e2e.visitor import visitors_at

    # The policy counts on HTTPS alone.
    with visitors_at(browser, product.public_address, expected=["Cross-Origin-Opener-Policy"]) as open_page:
        yield open_page
