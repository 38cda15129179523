"""The product with keys, as tests of who may do what see it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from in_process import AppClient

SERVICE_KEY = "a service key for the tests"


@dataclass
class Guarded:
    """The product, the retrieval service within it, its keys by role, and its files."""

    client: AppClient
    retrieval: FastAPI
    keys: dict[str, str]
    keys_file: Path
    audit_file: Path

    def request(self, method: str, path: str, role: str | None = None, **options: Any) -> httpx.Response:
        """Send a request with the key of a role, or without any."""
        headers = {"Authorization": f"Bearer {self.keys[role]}"} if role else {}
        return self.client.request(method, path, **{**options, "headers": {**headers, **options.get("headers", {})}})
