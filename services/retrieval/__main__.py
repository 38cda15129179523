"""Run the retrieval service: ``python -m services.retrieval``."""

from core.runtime.threads import limit_threads
from services.retrieval.app import create_app
from services.retrieval.settings import RetrievalSettings
from serving.process import run_server
from serving.settings import read_settings


def main() -> None:
    """Serve until told to stop."""
    settings = read_settings(RetrievalSettings)
    limit_threads(settings.threads)
    run_server(create_app(settings), settings)


if __name__ == "__main__":
    main()
