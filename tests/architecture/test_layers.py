"""The layering is executed, not promised."""

import ast
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("clients", "contracts", "core", "gateway", "scripts", "services", "serving", "standalone")
LONGEST_FILE = 320
# A longer file needs a reason here: why it is one idea that would be harder to read in two.
LONGER_FILES = {
    "core/gallery/database/postgres.py": "one server: its dialect, its connections and what its failures mean",
    "core/gallery/gallery.py": "every question to a gallery and every change of it, on the same parts",
}

# Packages whose docstring is a map of their modules: every package that has several.
MAPPED_PACKAGES = sorted(
    str(path.parent.relative_to(ROOT))
    for package in ("clients", "core", "serving", "services", "gateway")
    for path in (ROOT / package).rglob("__init__.py")
)


def sources() -> list[Path]:
    """Every source file of the product."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_the_import_contracts_hold():
    """No package imports what the architecture forbids it."""
    if find_spec("importlinter") is None:
        pytest.skip("import-linter is not installed: the import contracts are NOT checked; `make test` installs it")
    # In a process of its own: its logging set-up would silence every logger of this one.
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"

    checked = subprocess.run([sys.executable, "-c", code, "--no-cache"], cwd=ROOT, capture_output=True, text=True)

    assert checked.returncode == 0, checked.stdout


def test_files_have_one_reason_to_change():
    """No file grows beyond what is read in one sitting."""
    long = {str(path.relative_to(ROOT)): lines for path in sources() if (lines := _lines(path)) > LONGEST_FILE}

    assert long.keys() == LONGER_FILES.keys()


def test_importing_does_nothing():
    """No module calls anything that starts, reads or loads when it is imported: only definitions at the top level."""
    found = []
    for path in sources():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")

    assert found == []


def test_the_default_starts_without_what_only_calibrations_need():
    """SciPy, a second and 60 MB, is imported when a calibration is made or read, or drift is computed; not before."""
    needed = "standalone.app, services.retrieval.service, core.encoders.embedded, core.verifiers.geometric"
    code = f"import sys, {needed}; print(sorted(sys.modules.keys() & {{'scipy', 'core.calibration.bounds'}}))"

    started = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert started.stdout.strip() == "['core.calibration.bounds']", started.stderr


@pytest.mark.parametrize("package", MAPPED_PACKAGES)
def test_every_module_stands_in_its_packages_map(package: str):
    """The docstring of a package names its modules and sub-packages (``name/``), and nothing that is not there."""
    folder = ROOT / package
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    named = set(re.findall(r"^([a-z0-9_]+/?) {2,}\S", text, re.MULTILINE))
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "__main__"}
    packages = {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")}

    assert named == modules | packages


@pytest.mark.parametrize("name", ["utils", "helpers", "misc", "common", "manager"])
def test_there_are_no_drawers(name: str):
    """No module is named after not knowing where things belong."""
    assert [path for path in sources() if path.stem == name] == []


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_a_backup_loads_no_networks():
    """A tool that copies a gallery starts without torch, which takes a second to import."""
    code = "import sys, core.gallery.maintenance.backup; print('torch' in sys.modules)"

    started = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert started.stdout.strip() == "False", started.stderr
