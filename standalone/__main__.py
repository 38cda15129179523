"""Run the whole product in one process: ``python -m standalone``."""

from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from serving.process import run_server
from serving.settings import read_settings
from standalone.app import compose


def main() -> None:
    """Serve until told to stop. The verifier reads the gallery that retrieval writes."""
    gateway, retrieval = read_settings(GatewaySettings), read_settings(RetrievalSettings)
    verifier = read_settings(VerifierSettings).model_copy(update={"data_dir": retrieval.data_dir})

    def announce() -> None:
        print(f"semantic-image-matcher is ready: http://{gateway.host}:{gateway.port}", flush=True)
        print(f"the gallery lies in {retrieval.data_dir.absolute()}", flush=True)

    app = compose(gateway, retrieval=create_retrieval(retrieval), verifier=create_verifier(verifier), on_ready=announce)
    run_server(app, gateway)


if __name__ == "__main__":
    main()
