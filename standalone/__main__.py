"""Run the whole product in one process: ``python -m standalone``."""

import secrets

from pydantic import SecretStr

from core.runtime.threads import limit_threads
from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from serving.auth.exposure import NOWHERE, address_to_open
from serving.auth.keys import KeysError
from serving.process import run_server
from serving.settings import read_settings
from standalone.app import compose


def main() -> None:
    """Serve until told to stop. The verifier reads the gallery that retrieval writes."""
    gateway, retrieval = read_settings(GatewaySettings), read_settings(RetrievalSettings)
    limit_threads(retrieval.threads)
    # The services trust the gateway's name of the caller, for the audit log, only with this key.
    shared = {"service_key": SecretStr(secrets.token_urlsafe(32))}
    gateway, retrieval = gateway.model_copy(update=shared), retrieval.model_copy(update=shared)
    names = ("data_dir", "database_url", "photo_store", "s3_endpoint", "photo_cache_bytes")
    gallery = {name: getattr(retrieval, name) for name in names}
    verifier = read_settings(VerifierSettings).model_copy(update=gallery | shared)

    def announce() -> None:
        host = gateway.host if gateway.published_on in {None, NOWHERE} else str(gateway.published_on)
        print(f"semantic-image-matcher is ready: {address_to_open(host, gateway.port)}", flush=True)
        print(f"the gallery is in {retrieval.data_dir.absolute()}", flush=True)

    services = {"retrieval": create_retrieval(retrieval), "verifier": create_verifier(verifier)}
    try:
        app = compose(gateway, **services, on_ready=announce)
    except KeysError as exc:
        raise SystemExit(str(exc)) from exc
    run_server(app, gateway)


if __name__ == "__main__":
    main()
