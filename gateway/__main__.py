"""Run the gateway: ``python -m gateway``."""

from gateway.app import create_app
from gateway.settings import GatewaySettings
from serving.auth.keys import KeysError
from serving.process import run_server
from serving.settings import read_settings


def main() -> None:
    """Serve until told to stop."""
    settings = read_settings(GatewaySettings)
    try:
        app = create_app(settings)
    except KeysError as exc:
        raise SystemExit(str(exc)) from exc
    run_server(app, settings)


if __name__ == "__main__":
    main()
