"""The retrieval service in a process of its own, to be killed; it encodes with thumbnails."""

import multiprocessing
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from fakes.encoders import ThumbnailEncoder

from services.retrieval.app import create_app
from services.retrieval.settings import RetrievalSettings
from serving.process import run_server


def start_retrieval(folder: Path, port: int) -> ForkServerProcess:
    """Start the service on a gallery.

    All are forked off one process that has imported everything and done nothing: a new one is there in a moment.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "services.retrieval.app"])
    process = context.Process(target=_serve, args=(folder, port))
    process.start()
    return process


def _serve(folder: Path, port: int) -> None:
    settings = RetrievalSettings(data_dir=folder, port=port, log_level="ERROR")
    run_server(create_app(settings, encoder=ThumbnailEncoder(local_features=True)), settings)
