"""Run the whole product in one process: ``python -m standalone``."""

from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from serving.process import run_server
from standalone.app import compose


def main() -> None:
    """Serve until told to stop. The verifier reads the gallery that retrieval writes."""
    gateway, retrieval = GatewaySettings(), RetrievalSettings()
    verifier = VerifierSettings(data_dir=retrieval.data_dir)
    app = compose(gateway, retrieval=create_retrieval(retrieval), verifier=create_verifier(verifier))
    run_server(app, gateway)


if __name__ == "__main__":
    main()
