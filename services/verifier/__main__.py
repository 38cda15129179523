"""Run the verifier service: ``python -m services.verifier``."""

from core.runtime.threads import limit_threads
from services.verifier.app import create_app
from services.verifier.settings import VerifierSettings
from serving.process import run_server
from serving.settings import read_settings


def main() -> None:
    """Serve until told to stop."""
    settings = read_settings(VerifierSettings)
    limit_threads(settings.threads)
    run_server(create_app(settings), settings)


if __name__ == "__main__":
    main()
