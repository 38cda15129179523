"""Run by the tests as a process of its own: the whole product on fakes of its models; settings from the environment."""

import os
from functools import partial

from fakes.encoders import ThumbnailEncoder
from fakes.verifiers import ScriptedVerifier

from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from serving.process import run_server
from serving.settings import read_settings
from standalone.app import compose

if __name__ == "__main__":
    settings = read_settings(GatewaySettings)
    retrieval = create_retrieval(read_settings(RetrievalSettings), encoder=ThumbnailEncoder(local_features=True))
    verifier = create_verifier(read_settings(VerifierSettings), verifier=ScriptedVerifier())
    app = compose(settings, retrieval=retrieval, verifier=verifier, on_ready=partial(os.write, 1, b"ready\n"))
    run_server(app, settings)
