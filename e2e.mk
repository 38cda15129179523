# The page in a real browser: Debian's chromium driven by Playwright. Included by the Makefile.

.PHONY: test-e2e screenshots
test-e2e: $(TOOLS)
	@if ! command -v chromium >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		echo "Installing Debian's chromium and Chinese fonts: about 500 MB"; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >/dev/null; fi
	@$(PYTHON) -c "import playwright" 2>/dev/null || { echo "Installing Playwright into $(VENV): about 140 MB"; \
		$(PIP_INSTALL) "playwright>=1.45"; }
	$(PYTHON) -m pytest -q tests/e2e -m e2e

screenshots: $(TOOLS) ## photograph the page with the sample collection for the READMEs
	PYTHONPATH=.:tests $(PYTHON) tests/e2e/take_screenshots.py docs/images
