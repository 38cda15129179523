"""Run the gateway: ``python -m gateway``."""

from gateway.app import create_app
from gateway.settings import GatewaySettings
from serving.process import run_server
from serving.settings import read_settings


def main() -> None:
    """Serve until told to stop."""
    settings = read_settings(GatewaySettings)
    run_server(create_app(settings), settings)


if __name__ == "__main__":
    main()
