"""The structure of the package: import directions, who imports Streamlit and TensorFlow, and private attributes."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cxrcore"
# From top to bottom: a package may import itself and those below it.
ORDER = (
    "ui",
    "cli",
    "demo",
    "sharing",
    "reports",
    "maintenance",
    "jobs",
    "sweeps",
    "audits",
    "figures",
    "training",
    "explain",
    "evaluation",
    "inference",
    "runs",
    "config",
    "features",
    "data",
)
# Modules that every package may import; they import only each other.
BASE = {
    "access",
    "cluster",
    "errors",
    "fields",
    "files",
    "heaps",
    "i18n",
    "logs",
    "messages",
    "metric",
    "process",
    "progress",
    "schema",
    "sealing",
    "settings",
    "watched",
}


def _modules():
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
    }


def _imports(path):
    """Yield the names that a file imports anywhere in it, also in functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _packages(path):
    """Return the packages and base modules of cxrcore that a file imports."""
    return {name.split(".")[1] for name in _imports(path) if name.startswith("cxrcore.")} - {"__version__"}


def test_every_package_has_its_place():
    found = {path.stem if path.is_file() else path.name for path in PACKAGE.iterdir() if not path.name.startswith("_")}
    assert {
        name for name in found if (PACKAGE / name / "__init__.py").is_file() or (PACKAGE / f"{name}.py").is_file()
    } == {
        *ORDER,
        *BASE,
    }


@pytest.mark.parametrize("package", ORDER)
def test_imports_go_downwards(package):
    allowed = {*ORDER[ORDER.index(package) :], *BASE}
    for path in [*(PACKAGE / package).rglob("*.py"), *PACKAGE.glob(f"{package}.py")]:
        assert _packages(path) <= allowed, path


def test_base_modules_import_only_each_other():
    for name in BASE:
        assert _packages(PACKAGE / f"{name}.py") <= BASE, name


def test_no_module_imports_itself_through_others():
    modules = _modules()
    graph = {}
    for name, path in modules.items():
        imported = {found.removeprefix("cxrcore.") for found in _imports(path) if found.startswith("cxrcore.")}
        graph[name] = {found for found in imported & modules.keys() if modules[found].name != "__init__.py"} - {name}
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_only_the_dashboard_imports_streamlit():
    for path in PACKAGE.rglob("*.py"):
        if any(name.split(".")[0] == "streamlit" for name in _imports(path)):
            assert PACKAGE / "ui" in path.parents, path


def test_dask_is_imported_in_one_module_and_only_when_it_is_used():
    for path in PACKAGE.rglob("*.py"):
        top = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not any("distributed" in ast.unparse(node) for node in top), path
        if any(name.split(".")[0] in {"dask", "distributed"} for name in _imports(path)):
            assert path == PACKAGE / "cluster.py"


def test_pages_are_scripts_without_functions():
    for path in (ROOT / "pages").glob("*.py"):
        assert not re.search(r"^(def|class) ", path.read_text(), re.MULTILINE), path


NAMED_TUPLE = {"_replace", "_asdict", "_fields", "_make"}  # public in spite of their names


def test_no_private_attribute_of_another_object_is_used():
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and re.match(r"_[^_]", node.attr) and node.attr not in NAMED_TUPLE:
                owner = node.value
                own = isinstance(owner, ast.Name) and (owner.id in {"self", "cls"} or owner.id in _own_names(tree))
                assert own or _defined_here(tree, node.attr), f"{path}: {ast.unparse(node)}"


def _own_names(tree):
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def _defined_here(tree, name):
    """Tell whether a name is an attribute or a method of a class in the same file."""
    assigned = {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    return name in assigned | {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def _modules_after(code, *, home):
    script = f"import sys\n{code}\nprint([m for m in ('tensorflow', 'keras', 'streamlit') if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT,
        env={"CXR_HOME": str(home), "PATH": "", "HOME": str(home)},
    )  # fmt: skip
    return ast.literal_eval(result.stdout.splitlines()[-1])


def test_package_and_command_line_import_no_tensorflow(home):
    code = "import cxrcore, cxrcore.cli, cxrcore.jobs.queue, cxrcore.training.pipeline, cxrcore.explain.rendering"
    assert _modules_after(code, home=home) == []


def test_no_page_imports_tensorflow_even_for_a_heatmap(trained, home):
    """The heatmap is computed by a worker, the only one that a test starts with TensorFlow."""
    code = (
        "from streamlit.testing.v1 import AppTest\n"
        "test = AppTest.from_file('streamlit_app.py', default_timeout=120).run()\n"
        "for page in ('home', 'data', 'train', 'results', 'compare', 'explain'):\n"
        "    test.switch_page(f'pages/{page}.py').run()\n"
        "    assert not test.exception, test.exception\n"
        "next(box for box in test.selectbox if box.label == 'Method').set_value('occlusion').run()\n"
        "assert not test.exception and not test.error, [error.value for error in test.error]\n"
        "assert 'Occlusion of' in str(test.get('image')[1].proto) + str(test.get('image')), test.get('image')"
    )
    assert _modules_after(code, home=home) == ["streamlit"]
