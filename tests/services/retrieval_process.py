"""Run by the tests as a process of its own: the retrieval service, encoding with thumbnails; settings are M1_*."""

from fakes.encoders import ThumbnailEncoder

from services.retrieval.app import create_app
from services.retrieval.settings import RetrievalSettings
from serving.process import run_server
from serving.settings import read_settings

if __name__ == "__main__":
    settings = read_settings(RetrievalSettings)
    run_server(create_app(settings, encoder=ThumbnailEncoder(local_features=True)), settings)
