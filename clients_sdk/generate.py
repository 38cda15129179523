"""Generate the clients of the HTTP API in Python and TypeScript; ``make clients`` installs what this needs and runs it.

Each lies in ``generated`` beside its README, and is not committed: it follows from the OpenAPI document.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.app import create_app
from gateway.settings import GatewaySettings

FOLDER = Path(__file__).parent
TOOLS = FOLDER.parent / ".venv" / "client-tools" / "bin"
"""The virtual environment with the Python generator."""

NODE_MODULES = FOLDER / "typescript" / "node_modules"


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the document, then both clients."""
    parser = argparse.ArgumentParser(prog="python -m clients_sdk.generate", description=__doc__)
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder of the clients; default: clients_sdk")
    output: Path = parser.parse_args(arguments).output.absolute()
    output.mkdir(parents=True, exist_ok=True)
    document = output / "openapi.json"
    document.write_text(json.dumps(create_app(GatewaySettings()).openapi(), ensure_ascii=False, indent=1))
    generate_python(document, output / "python" / "generated")
    generate_typescript(document, output / "typescript" / "generated")


def generate_python(document: Path, project: Path) -> None:
    """Generate a project that pip installs; a warning of the generator is an error, because a part would be missing.

    Raises:
        SystemExit: the generator is missing or failed.
    """
    generator = TOOLS / "openapi-python-client"
    if not generator.exists():
        raise SystemExit(f"{generator} is missing; `make clients` installs it")
    project.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [generator, "generate", "--path", document, "--output-path", project, "--overwrite", "--meta", "setup",
         "--config", FOLDER / "python" / "generator.yaml", "--fail-on-warning"],
        env={**os.environ, "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}"},
        check=True,
    )  # fmt: skip


def generate_typescript(document: Path, folder: Path) -> None:
    """Generate the types ``api.d.ts``; without Node.js, say on standard error that they are missing."""
    node = shutil.which("node")
    if node is None or not NODE_MODULES.exists():
        print("NO TYPESCRIPT CLIENT: openapi-typescript is not installed; it needs Node.js and npm", file=sys.stderr)
        return
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([node, FOLDER / "typescript" / "generate.mjs", document, folder / "api.d.ts"], check=True)


if __name__ == "__main__":
    main()
