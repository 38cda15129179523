"""Two retrieval services, a verifier and two gateways, real processes with folders of their own.

What they share is what `docker-compose.scale.yml` shares: PostgreSQL, an S3 store and Milvus, real servers all three.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from replica_processes import SERVICE_KEY, Replicas
from servers.balancer import Balancer
from servers.bucket import CREDENTIALS, BucketServer
from servers.milvus import MilvusServer
from servers.ports import free_port
from servers.postgres import PostgresServer

from serving.auth.keys import create_key


@pytest.fixture(scope="module")
def replicas(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, milvus: MilvusServer
) -> Iterator[Replicas]:
    """All of them, ready, with an empty gallery; killed at the end."""
    root = tmp_path_factory.mktemp("replicas")
    url = postgres.create_database()
    key = create_key(root / "keys.json", "director", "admin")
    m1, m1_other, m3, a, b = (str(free_port()) for _ in range(5))
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(Balancer(*ports)) for ports in ((int(m1), int(m1_other)), (int(m1_other), int(m1)))
        )
        bucket = stack.enter_context(BucketServer())  # of its own, for the other tests empty theirs
        shared = {
            "DATABASE_URL": url,
            "PHOTO_STORE": "s3://photos/replicas",
            "S3_ENDPOINT": bucket.endpoint,
            "SERVICE_KEY": SERVICE_KEY,
        }
        vectors = {"uri": milvus.uri, "collection": "replicas", "staleness_s": 2.0}
        retrieval = {
            "MODULE": "services.retrieval",
            "M1_VERIFIER_URL": f"http://127.0.0.1:{m3}",
            **CREDENTIALS,
            **{f"M1_{name}": value for name, value in shared.items()},
            "M1_VECTOR_INDEX": "milvus",
            "M1_VECTOR_INDEX_OPTIONS": json.dumps(vectors),
        }
        verifier = {
            "MODULE": "services.verifier",
            **CREDENTIALS,
            **{f"M3_{name}": value for name, value in shared.items()},
            "M3_DATA_DIR": str(root / "m3"),
        }
        gateway = {
            "MODULE": "gateway",
            "GATEWAY_VERIFIER_URL": f"http://127.0.0.1:{m3}",
            "GATEWAY_SERVICE_KEY": SERVICE_KEY,
            "GATEWAY_KEYS_FILE": str(root / "keys.json"),
            "GATEWAY_RATE_PER_MINUTE": "0",
        }
        clients = [
            stack.enter_context(
                httpx.Client(
                    base_url=f"http://127.0.0.1:{port}",
                    headers={"Authorization": f"Bearer {key}"},
                    trust_env=False,
                    timeout=60,
                )
            )
            for port in (a, b)
        ]
        running = Replicas(*clients, key, root / "gallery", url, root / "log")
        running.environments = {
            "m1": {**retrieval, "M1_DATA_DIR": str(root / "m1"), "PORT": m1, "M1_PORT": m1},
            "m1-other": {
                **retrieval,
                "M1_DATA_DIR": str(root / "m1-other"),
                "PORT": m1_other,
                "M1_PORT": m1_other,
            },
            "m3": {**verifier, "PORT": m3, "M3_PORT": m3},
            "gateway-a": {**gateway, "PORT": a, "GATEWAY_PORT": a, "GATEWAY_RETRIEVAL_URL": first.url},
            "gateway-b": {**gateway, "PORT": b, "GATEWAY_PORT": b, "GATEWAY_RETRIEVAL_URL": second.url},
        }
        try:
            running.start(*running.environments)
            yield running
        finally:
            for name in running.processes:
                running.kill(name)
