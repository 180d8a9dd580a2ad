"""The house rules that a machine can check."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cxrcore"
# What each room may import of cxrcore; single files and `errors`, `files`, `settings` are for all.
ALLOWED = {
    "data": {"data"},
    "audit": {"audit", "data", "evaluation"},
    "features": {"features", "data"},
    "evaluation": {"evaluation", "data", "features", "explain", "runs"},
    "explain": {"explain", "data", "features", "runs", "evaluation"},
    "training": {"training", "data", "features", "evaluation", "explain", "runs"},
    "sweeps": {"sweeps", "training", "data", "features", "runs"},
    "jobs": {"jobs", "training", "sweeps", "evaluation", "explain", "runs"},
    "report": {"report", "data", "evaluation"},
    "export": {"export", "data", "audit", "features", "evaluation", "explain", "report", "runs"},
    "ui": {
        "ui",
        "demo",
        "export",
        "data",
        "audit",
        "features",
        "training",
        "evaluation",
        "explain",
        "report",
        "jobs",
        "runs",
        "sweeps",
    },
}
FOR_ALL = {"errors", "files", "language", "settings"}


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "cxrcore":
                yield from (f"cxrcore.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", ALLOWED)
def test_imports_point_one_way(room):
    for path in (PACKAGE / room).rglob("*.py"):
        rooms = {name.split(".")[1] for name in _imports(path) if name.startswith("cxrcore.")}
        assert rooms <= ALLOWED[room] | FOR_ALL, path


def test_only_the_dashboard_knows_streamlit():
    for path in PACKAGE.rglob("*.py"):
        if any(name.split(".")[0] == "streamlit" for name in _imports(path)):
            assert path.parent == PACKAGE / "ui", path


def test_files_are_short():
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "pages").glob("*.py")]:
        assert len(path.read_text().splitlines()) <= 190, path


def test_a_page_is_a_script_without_functions():
    for path in (ROOT / "pages").glob("*.py"):
        assert not re.search(r"^(def|class) ", path.read_text(), re.MULTILINE), path


def _modules_after(code, *, home):
    script = f"import sys\n{code}\nprint([m for m in ('tensorflow', 'keras', 'streamlit') if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT,
        env={"CXR_HOME": str(home), "PATH": "", "HOME": str(home)},
    )  # fmt: skip
    return ast.literal_eval(result.stdout.splitlines()[-1])


def test_importing_the_package_and_its_command_line_imports_no_tensorflow(home):
    code = "import cxrcore, cxrcore.cli, cxrcore.jobs.queue, cxrcore.training.pipeline, cxrcore.explain.pictures"
    assert _modules_after(code, home=home) == []


def test_no_page_imports_tensorflow_to_be_opened(trained, home):
    code = (
        "from streamlit.testing.v1 import AppTest\n"
        "test = AppTest.from_file('streamlit_app.py', default_timeout=60).run()\n"
        "for page in ('home', 'data', 'train', 'results', 'explain'):\n"
        "    test.switch_page(f'pages/{page}.py').run()\n"
        "    assert not test.exception, test.exception"
    )
    assert _modules_after(code, home=home) == ["streamlit"]
