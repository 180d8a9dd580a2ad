"""`python -m benchmarks.faults --matrix`: every page with every file of a run and a dataset damaged in every way;
`--moments 200 --seed 0`: faults at random moments of a small workload, see `benchmarks.fault_moments`.

The workspace has a damaged run and a healthy one of a dataset each, made without training. Each file in turn is
truncated, emptied, removed, and replaced by other content; then every page and tab is opened, on the damaged one and
on the healthy one. A page must open without an exception, an unexpected error, a path of the server where it is
read-only, and without a change of the healthy run. Prints one line for each state that does not, and the number of all.
"""

import argparse
import functools
import gc
import hashlib
import itertools
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from cxrcore.errors import UserError
from cxrcore.progress import ignore

ROOT = Path(__file__).parent.parent
BAD, GOOD = "bad", "good"  # names of the two datasets


@dataclass(frozen=True)
class View:
    """A page with its query; `{run}` and `{dataset}` are filled in."""

    page: str
    query: dict[str, str]


def _of_run(page: str, name: str, values: Sequence[str]) -> list[View]:
    return [View(page, {"run": "{run}", name: value}) for value in values]


TABS = ("Images", "Metrics", "Probabilities", "Errors", "Robustness", "Training curves", "Export")
VIEWS = [
    View("home", {}),
    *[View("data", {"dataset": "{dataset}", "view": view}) for view in ("Overview", "Images", "Audit")],
    View("train", {"dataset": "{dataset}"}),
    View("train", {"run": "{run}"}),
    *_of_run("results", "tab", TABS),
    View("explain", {"run": "{run}"}),
    *_of_run("explain", "show", ("Upload", "Comparison", "Mean heatmap by class", "Faithfulness")),
    View("compare", {}),
    View("compare", {"show": "Sweeps"}),
    View("data", {"view": "Add a dataset"}),
    View("train", {"form": "Sweep"}),
    View("status", {}),
]
# Those that are opened on the healthy run, too: the others read nothing but one run's files.
HEALTHY = (VIEWS[1], VIEWS[4], VIEWS[6])
RUN_FILES = (
    "config.json", "about.json", "metrics.json", "status.json", "card.json", "selection.json", "resampling.json",
    "resampling.parquet", "verdict.json", "shown.json", "notes.json", "shortcut.json", "mitigations.json",
    "faithfulness.json", "learning_curve.json", "evaluations/good/metrics.json", "evaluations/good/predictions.parquet",
    "evaluations/good/duplicates.parquet", "tasks/shortcut.json", "table.parquet", "predictions.parquet",
    "heatmaps.npy", "head.keras", "novelty.npz", "vectors.npz", "events.jsonl", "log.txt", "state-head.npz",
)  # fmt: skip
SINGLE_SPLIT_FILES = ("metrics.json", "predictions.parquet", "events.jsonl")  # of which pages show more without folds
DATASET_FILES = ("dataset.json", "table.parquet", "measures.parquet", "edits.jsonl", "audit.json")


def _truncate(path: Path) -> None:
    content = path.read_bytes() if path.is_file() else b""
    path.write_bytes(content[: len(content) // 2])


def _replace(text: str) -> Callable[[Path], None]:
    return lambda path: void(path.write_text(text))


def void(_: object) -> None:
    """Ignore a result."""


def _numbers(value: object) -> Callable[[Path], None]:
    """Replace every number of a JSON file, the version apart."""

    def change(found: object) -> object:
        if isinstance(found, dict):
            return {name: item if name == "schema_version" else change(item) for name, item in found.items()}
        if isinstance(found, list):
            return [change(item) for item in found]
        return value if isinstance(found, int | float) and not isinstance(found, bool) else found

    def damage(path: Path) -> None:
        try:
            lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
            path.write_text("".join(json.dumps(change(json.loads(line))) + "\n" for line in lines))
        except (ValueError, OSError):
            path.write_text(json.dumps(value))

    return damage


def _folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def _link(target: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.unlink(missing_ok=True)
        path.symlink_to(path.parent / (target or path.name))

    return damage


DAMAGES: dict[str, Callable[[Path], None]] = {
    "truncated": _truncate,
    "emptied": _replace(""),
    "missing": lambda path: path.unlink(missing_ok=True),
    "a list": _replace("[1, 2]"),
    "a number": _replace("7"),
    "an empty object": _replace("{}"),
    "wrong types": _replace('{"schema_version": 2, "state": 1, "classes": {}, "test": [], "title": [], "name": 3}'),
    "newer": _replace('{"schema_version": 99}'),
    "version 1": _replace('{"schema_version": 1, "dataset": {}, "by_class": []}'),
    "huge numbers": _numbers(10**400),
    "large numbers": _numbers(1e300),
    "negative numbers": _numbers(-3),
    "not numbers": _numbers(float("nan")),
    "nesting of 5 MB": _replace("[" * 5_000_000),
    "nested objects": _replace('{"a":' * 100_000),
    "nested in version 1": _replace('{"test":' + "[" * 900 + "]" * 900 + "}\n"),
    "half of a surrogate pair": _replace('{"title": "\\ud800", "do": "relabel", "rows": [0], "label": "\\ud800"}\n'),
    "bytes": lambda path: void(path.write_bytes(bytes(range(256)) * 40)),
    "a folder": _folder,
    "a dangling link": _link("not there"),
    "a link to itself": _link(""),
}


class PoolInProcess:
    """Calls functions as a `WorkerPool` does, in this process, or refuses to where that shows nothing new."""

    is_warm = True
    waiting = 0
    computes = True

    def call(self, function: Callable[..., object], *args: object, **options: object) -> object:
        """Call a function in this process."""
        if not self.computes:
            raise UserError("Not computed.")
        return function(*args, progress=ignore)

    def prepare(self, function: Callable[..., object], *args: object) -> None:
        """Do nothing."""


def make_workspace() -> tuple[Path, Path]:
    """Train and audit a run of the dataset `bad`, with every file, and one of `good`; return their folders."""
    from cxrcore import runs
    from cxrcore.audits import learning_curve, mitigations, shortcut
    from cxrcore.config import run_config
    from cxrcore.data import editing
    from cxrcore.data.phantom import dataset as phantoms
    from cxrcore.evaluation import error_analysis, external, verdict
    from cxrcore.explain import faithfulness
    from cxrcore.training import pipeline

    for seed, name in enumerate((BAD, GOOD)):
        phantoms.create(name, patients=10, images=2, seed=seed)
        editing.exclude(name, [0])
    folders = []
    for name, options in (
        (BAD, {"head": "logistic", "resampling": {"folds": 2}}),
        (GOOD, {"head": "gap", "epochs": 5}),
    ):
        config = run_config.make(dataset=name, size=64, **options)
        run = pipeline.run(config, runs.create(config).folder)
        run.describe(title=name)
        run.show(True)
        faithfulness.measure(run, ["grad-cam", "eigen-cam"])
        shortcut.audit(run)
        mitigations.compare(run)
        learning_curve.compute(run, lambda stage, done, total: None)
        external.evaluate(run, GOOD if name == BAD else BAD)
        error_analysis.write_note(run, run.predictions()["sha256"].iloc[0], "a note")
        verdict.keep(run)
        folders.append(run.folder)
    return folders[0], folders[1]


def made_before() -> tuple[Path, Path] | None:
    """Return the folders of the two runs if they are there."""
    from cxrcore import runs

    found = {run.requested.dataset: run.folder for run in runs.listing()}
    return (found[BAD], found[GOOD]) if found.keys() >= {BAD, GOOD} else None


def leave_out_what_stays() -> None:
    """Let the collections of garbage leave out what is there now.

    Streamlit collects all generations after each run of a page, and where Keras is imported clears its session, which
    does so again: half a second with TensorFlow's objects.
    """
    gc.collect()
    gc.freeze()


def scan_packages_once() -> None:
    """Look for the Streamlit components of the installed packages, which takes longer than most pages, once for all."""
    manifest_scanner.scan_component_manifests = functools.cache(manifest_scanner.scan_component_manifests)


def opened(view: View, run: str, dataset: str) -> tuple[AppTest, list[str]]:
    """Open a page; return it and what is wrong with it."""
    test = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    for name, value in view.query.items():
        test.query_params[name] = value.format(run=run, dataset=dataset)
    try:
        test.switch_page(f"pages/{view.page}.py").run()
    except Exception as error:
        return test, [f"{type(error).__name__}: {error}"]
    wrong = [f"exception: {found.value}" for found in test.exception]
    wrong += [found.value for found in test.error if "Unexpected error" in found.value]
    home = os.environ["CXR_HOME"]
    if os.environ.get("CXR_READ_ONLY") == "1":
        wrong += [f"server path: {text}" for text in texts(test) if home in text.replace("\\", "")]
    return test, wrong


def texts(test: AppTest) -> list[str]:
    """Return the texts of a page."""
    kinds = (test.markdown, test.caption, test.info, test.warning, test.error, test.subheader, test.code)
    return [str(element.value) for kind in kinds for element in kind]


def digest(folder: Path) -> str:
    """Return a digest of the files of a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


@dataclass(frozen=True)
class State:
    """One damaged file."""

    folder: Path
    of: str
    file: str
    damage: str

    @property
    def place(self) -> str:
        """The file and what it is of."""
        return f"{self.file} of the {self.of}"

    def __str__(self) -> str:
        return f"{self.place}: {self.damage}"


def states(run: Path, data: Path, single: Path) -> list[State]:
    """Return every file of a run with folds, of a dataset and of a run without folds in every state."""
    places = [(run, "run", RUN_FILES), (data, "dataset", DATASET_FILES), (single, "single run", SINGLE_SPLIT_FILES)]
    return [State(folder, of, file, damage) for folder, of, files in places for file in files for damage in DAMAGES]


@contextmanager
def damaged(state: State, number: int) -> Iterator[Path]:
    """Damage a file in a copy of the folder, which takes its place; yield the copy.

    A run's copy has a name of its own, so that nothing is shown that was read before.
    """
    kept = state.folder.parent / f".kept-{state.folder.name}"
    state.folder.rename(kept)
    of_run = state.folder.parent.name == "runs"
    copy = state.folder.with_name(f"{state.folder.name}-{number}") if of_run else state.folder
    shutil.copytree(kept, copy)
    path = copy / state.file
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        DAMAGES[state.damage](path)
        yield copy
    finally:
        shutil.rmtree(copy)
        kept.rename(state.folder)


@dataclass(frozen=True)
class Outcome:
    """What is wrong in a state, and whether a page and `cxr doctor` name the damaged file."""

    state: State
    wrong: list[str]
    named: bool
    by_doctor: bool
    all: str = "all"


def matrix(chosen: Sequence[State], bad: Path, good: Path, views: Sequence[View]) -> list[Outcome]:
    """Open pages in these states; print what is wrong."""
    from cxrcore.maintenance import doctor

    found = []
    before = {folder: digest(folder) for folder in (bad, good)}
    for number, state in enumerate(chosen):
        leave_out_what_stays()
        with damaged(state, number) as copy:
            healthy, sets = (bad, (GOOD, BAD)) if state.folder == good else (good, (BAD, GOOD))
            name = copy.name if copy.parent == bad.parent else bad.name
            PoolInProcess.computes = Path(state.file).suffix == ".keras"
            wrong, shown = [], ""
            for view in views:
                pairs = zip((name, healthy.name), sets, strict=True)
                for run, dataset in itertools.islice(pairs, 2 if view in HEALTHY else 1):
                    test, problems = opened(view, run, dataset)
                    wrong += [f"{view.page} {view.query} of {dataset}: {text}" for text in problems]
                    shown += "\n".join(texts(test)).replace("\\", "")
            if digest(healthy) != before[healthy]:
                wrong.append("the healthy run was changed")
            told = "\n".join(str(problem.message) for problem in doctor.check())
            file = Path(state.file).name
            found.append(Outcome(state, wrong, file in shown, file in told))
        for text in wrong:
            print(f"{state}; {text[:600]}", flush=True)
        if number % 10 == 9:
            print(f"{number + 1} of {len(chosen)} states", file=sys.stderr, flush=True)
    return found


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Print the number of states, of those without a fault, of those that a page names, and of those that a page or
    `cxr doctor` names, by damage and by file.
    """
    print(f"{'damage, file':48} states survived  named  or by doctor  neither")
    for name in ("state.damage", "state.place", "all"):
        groups: dict[str, list[Outcome]] = {}
        for found in outcomes:
            groups.setdefault(str(attrgetter(name)(found)), []).append(found)
        for value, same in sorted(groups.items()):
            survived, named = sum(not found.wrong for found in same), sum(found.named for found in same)
            silent = [found.state.damage for found in same if not found.named and not found.by_doctor]
            told, listed = len(same) - len(silent), ", ".join(silent) if name == "state.place" else ""
            print(f"{value:48} {len(same):6} {survived:8} {named:6} {told:13}  {listed}")


def open_pages() -> list[str]:
    """Return what is wrong with the pages of the newest run and of the newest with results."""
    from cxrcore import runs

    PoolInProcess.computes = False
    known = runs.known(now=True)
    names = [found.run.name for found in known]
    results = [found.run.name for found in known if found.metrics]
    views = [(view, (names if view.page == "train" else [*results, *names])[:1]) for view in VIEWS]
    return [f"{view.page}: {text}" for view, run in views for text in opened(view, "".join(run), GOOD)[1]]


def main() -> None:
    """Run the part that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults")
    parser.add_argument("--matrix", action="store_true", help="pages by damaged files, without the random moments")
    parser.add_argument("--moments", type=int, default=0, help="faults at random moments; needs root, to mount a tmpfs")
    parser.add_argument("--part", default="0/1", help="of the matrix, for example 0/4: every fourth state")
    parser.add_argument("--read-only", action="store_true", help="the matrix with CXR_READ_ONLY=1")
    parser.add_argument("--workspace", type=Path, help="made by an earlier call, or to be made")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60, help="nothing is begun after these")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = str(arguments.workspace.resolve()) if arguments.workspace else temporary
        os.environ |= {"CXR_HOME": home, "CXR_OPENVINO": "0"}
        os.environ.pop("CXR_WEIGHTS_DIR", None)
        bad, good = made_before() or make_workspace()
        part, parts = map(int, arguments.part.split("/"))
        chosen = states(bad, Path(home) / "datasets" / BAD, good)
        random.Random(arguments.seed).shuffle(chosen)
        chosen = chosen[part::parts]
        from cxrcore import watched
        from cxrcore.jobs import worker_pool

        worker_pool.pool = PoolInProcess  # type: ignore[assignment]
        scan_packages_once()
        if arguments.moments:
            from benchmarks import fault_moments

            until = time.time() + 60 * arguments.minutes
            kinds = [
                kind for kind, _ in zip(itertools.cycle(fault_moments.FAULTS), range(arguments.moments), strict=False)
            ]
            sys.exit(bool(fault_moments.run_moments(kinds, arguments.seed, Path(home), open_pages, until)))
        watched.SECONDS = 0.0  # files are changed in other ways than the program does
        if arguments.read_only:
            os.environ["CXR_READ_ONLY"] = "1"
        outcomes = matrix(chosen, bad, good, VIEWS)
        print_outcomes(outcomes)
        sys.exit(any(found.wrong for found in outcomes))


if __name__ == "__main__":
    main()
