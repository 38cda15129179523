# Clients generated from the OpenAPI document, and the test that uses them. Included by the Makefile.

CLIENT_TOOLS := $(VENV)/client-tools

.PHONY: clients test-clients
test-slow: $(CLIENT_TOOLS)/.installed

clients: $(RUNTIME) $(CLIENT_TOOLS)/.installed ## generate the clients for Python and TypeScript into clients_sdk/
	$(PYTHON) -m clients_sdk.generate

test-clients: $(TOOLS) $(CLIENT_TOOLS)/.installed ## generate the clients, and run every documented example against the product
	$(PYTHON) -m pytest -q tests/clients_sdk

$(CLIENT_TOOLS)/.installed: clients.mk clients_sdk/typescript/package.json | $(PYTHON)
	@echo "Installing openapi-python-client into $(CLIENT_TOOLS) and openapi-typescript into clients_sdk/typescript: about 90 MB"
	@$(PYTHON) -m venv $(CLIENT_TOOLS)
	@$(CLIENT_TOOLS)/bin/python -m pip install -qq --disable-pip-version-check openapi-python-client==0.29.1
	@if ! command -v npm >/dev/null; then \
		echo "NO NPM: the TypeScript client is neither generated nor tested" >&2; touch $@; \
	elif npm install --silent --no-package-lock --prefix clients_sdk/typescript; then touch $@; \
	else echo "NPM FAILED: the TypeScript client is neither generated nor tested" >&2; fi
