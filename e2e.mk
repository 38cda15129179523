# The page in a real browser: Debian's chromium driven by Playwright. Included by the Makefile.

.PHONY: browser test-e2e test-e2e-slow screenshots

test-e2e: browser ## test the page in a real browser
	$(PYTHON) -m pytest -q tests/e2e -m "e2e and not slow"

test-e2e-slow: browser ## the page's tests that take minutes: 500 photos, a real measurement
	$(PYTHON) -m pytest -q tests/e2e -m "e2e and slow"

screenshots: browser ## photograph the page with the sample's photographs for the documents
	PYTHONPATH=.:tests $(PYTHON) tests/e2e/take_screenshots.py docs/images

# Without a browser every test in tests/e2e is skipped, and says so.
browser: $(TOOLS)
	@if ! command -v chromium >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		echo "Installing Debian's chromium and Chinese fonts: about 500 MB"; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >/dev/null \
		|| echo "NO BROWSER: apt could not install chromium, the page is not tested" >&2; fi
	@$(PYTHON) -c "import playwright, axe_playwright_python" 2>/dev/null || { \
		echo "Installing Playwright and axe-core into $(VENV): about 140 MB"; \
		$(PIP_INSTALL) "playwright>=1.45" "axe-playwright-python>=0.1.4"; }
