# Verifier service for NVIDIA GPUs: Qwen-VL, and the geometric verifier for cascades. Holds no weights: they are in /models.
# docker build -f Dockerfile.m3 -t semantic-image-matcher-m3 .

ARG PYTHON_IMAGE=python:3.11.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS torch
# A package mirror, and PyTorch's own index for another CUDA than PyPI's (13.0), e.g. https://download.pytorch.org/whl/cu126
ARG PIP_INDEX_URL
ARG TORCH_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /source
RUN python -m venv /opt/venv
# PyTorch first: its gigabytes change least often, and this layer is the one of Dockerfile.m1.
COPY constraints.txt constraints-gpu.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/venv/bin/pip install --constraint constraints-gpu.txt ${TORCH_INDEX_URL:+--extra-index-url "$TORCH_INDEX_URL"} torch \
    && rm -rf /opt/venv/lib/python3.*/site-packages/torch/test /opt/venv/lib/python3.*/site-packages/torch/include \
        /opt/venv/lib/python3.*/site-packages/torch/bin/*test* /opt/venv/lib/python3.*/site-packages/torch/bin/protoc* \
    && touch /torch-is-installed

# What the project needs, by its description alone: the code is a layer of its own, so that a changed line is small.
FROM ${PYTHON_IMAGE} AS description
COPY pyproject.toml LICENSE NOTICE /description/
RUN sed -i '/^\[tool\.ruff\]/,$d' /description/pyproject.toml && touch /description/README.md

FROM torch AS dependencies
COPY --from=description /description ./
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/venv/bin/pip install --constraint constraints-gpu.txt ${TORCH_INDEX_URL:+--extra-index-url "$TORCH_INDEX_URL"} ".[m3,shared]" \
    && /opt/venv/bin/pip uninstall --yes semantic-image-matcher \
    # An index may have no torchvision for its PyTorch. Another's would keep transformers from loading.
    && { /opt/venv/bin/python -B -c "import qwen_vl_utils" || /opt/venv/bin/pip uninstall --yes torchvision; } \
    && find /opt/venv -type d -name tests -prune -exec rm -rf {} + \
    && mkdir /dependencies \
    && find /opt/venv -newer /torch-is-installed ! -type d -exec cp --link --no-dereference --parents --target-directory=/dependencies {} + \
    && touch /dependencies-are-installed

FROM dependencies AS code
# The sources; .dockerignore lists what they are.
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/venv/bin/pip install --no-deps . \
    && mkdir /code \
    && find /opt/venv -newer /dependencies-are-installed ! -type d -exec cp --link --no-dereference --parents --target-directory=/code {} +

FROM ${PYTHON_IMAGE}
COPY --from=torch /opt/venv /opt/venv
# The folders exist and belong to the user, so that fresh volumes mounted on them do too.
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin matcher \
    && install -d -o matcher -g matcher /data /data/gallery /models
COPY --from=dependencies /dependencies /
COPY --from=code /code /
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    HF_HOME=/models \
    PYTORCH_ALLOC_CONF=expandable_segments:True \
    MODELSCOPE_CACHE=/models/modelscope \
    M3_HOST=0.0.0.0 \
    M3_DATA_DIR=/data/gallery \
    M3_VERIFIER=qwen3-vl
WORKDIR /data
USER 10001:10001
VOLUME ["/models"]
EXPOSE 8002
# The probe waits while the model is fetched and loaded, and fails where it cannot be: see serving/probe.py.
HEALTHCHECK --interval=10s --timeout=60m --retries=3 \
    CMD ["python", "-m", "serving.probe", "http://127.0.0.1:8002/health/ready", "300"]
CMD ["python", "-m", "services.verifier"]
