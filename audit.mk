# Known vulnerabilities in what is pinned. Asks pypi.org, so it is no part of `make check`. Included by the Makefile.

AUDIT_TOOLS := $(VENV)/audit-tools

# --strict: a package that the service does not know, or a service that cannot be reached, is a failure and no silence.
.PHONY: audit
audit: $(AUDIT_TOOLS)/.installed ## look for known vulnerabilities in the pinned packages (asks pypi.org)
	@cat constraints.txt constraints-gpu.txt | grep -v '^--' > $(AUDIT_TOOLS)/pinned.txt
	@$(AUDIT_TOOLS)/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off \
		--requirement $(AUDIT_TOOLS)/pinned.txt \
		|| { echo "NOT AUDITED, or something was found: the lines above say which" >&2; exit 1; }

$(AUDIT_TOOLS)/.installed: audit.mk | $(PYTHON)
	@echo "Installing pip-audit into $(AUDIT_TOOLS): about 50 MB"
	@$(PYTHON) -m venv $(AUDIT_TOOLS)
	@$(AUDIT_TOOLS)/bin/python -m pip install -qq --disable-pip-version-check pip-audit==2.10.1
	@touch $@
