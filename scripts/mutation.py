"""Mutation testing of the splits, the evaluation and the explanations: `make mutants`.

mutmut writes all mutants of a function into its module, with a switch. `mutmut run` forks a process and starts pytest
for each of them; here one pytest tests all, so that imports, trained runs and TensorFlow are ready. A mutant is tested
by the tests that call its function, the fastest first. It is killed by one that fails, and passes without the mutant.

Results are kept in build/mutants. Another call goes on, and tests survivors again.
"""

import argparse
import contextlib
import io
import os
import random
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from mutmut.__main__ import create_mutants
from mutmut.configuration import config
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state
from mutmut.utils.file_utils import copy_also_copy_files, copy_src_dir, walk_mutatable_files
from mutmut.utils.format_utils import mangled_name_from_mutant_name

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "mutants"
EXPLAINED = ROOT / "tests" / "explained_mutants.toml"
LEAST = 0.85
KILLED, SURVIVED, UNTESTED = 1, 0, 33  # as mutmut writes them
_SECONDS = 180  # of a test, before it counts as failed


def generate() -> None:
    """Write the mutants of the functions that have changed."""
    for name in ("cxrcore", "tests", "pyproject.toml"):
        if not (FOLDER / name).exists():
            (FOLDER / name).symlink_to(ROOT / name)
    if not (FOLDER / "shared").exists() and (ROOT.parent / "shared").exists():
        (FOLDER / "shared").symlink_to(ROOT.parent / "shared")  # beside the copy as it is beside the original
    (FOLDER / "mutants").mkdir(exist_ok=True)
    set_mutant_under_test("mutant_generation")
    with contextlib.redirect_stdout(io.StringIO()):
        copy_src_dir()
        copy_also_copy_files()
        create_mutants(os.cpu_count() or 1)


def modules() -> Iterator[SourceFileMutationData]:
    """Yield the mutants of each module with their results."""
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        yield data


class MutantTests:
    """A pytest plugin that tests mutants, of each module at most `sample` at random, 0 for all.

    With `covered` only those of functions that the selected tests call; only of modules whose path matches `only`.
    """

    def __init__(self, sample: int, seed: int, covered: bool, only: str) -> None:
        self.sample, self.seed, self.covered, self.only = sample, seed, covered, only
        self.failed, self.seconds, self.text = False, 0.0, ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what became of a test."""
        self.failed |= report.failed
        self.text = report.longreprtext or self.text
        self.seconds += report.duration

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run every test once to see which functions it calls, then the tests of each mutant."""
        seconds: dict[pytest.Item, float] = {}
        tests: dict[str, list[pytest.Item]] = defaultdict(list)
        for test in session.items:
            state()._stats.clear()
            if not self._passes(test, "stats"):
                raise self._broken(test)
            seconds[test] = self.seconds
            for function in state()._stats:
                tests[function].append(test)
        for data in modules():
            if not fnmatch(str(data.path), self.only):
                continue
            names = sorted(data.exit_code_by_key)
            if self.sample:
                names = random.Random(self.seed).sample(names, min(self.sample, len(names)))
            for name in names:
                own = sorted(tests[mangled_name_from_mutant_name(name)], key=lambda test: seconds[test])
                if data.exit_code_by_key[name] != KILLED and (own or not self.covered):
                    killed = any(self._kills(test, name) for test in own)
                    data.exit_code_by_key[name] = KILLED if killed else SURVIVED if own else UNTESTED
                    data.save()
        return True

    def _kills(self, test: pytest.Item, mutant: str) -> bool:
        if self._passes(test, mutant):
            return False
        if not self._passes(test, ""):
            raise self._broken(test)
        return True

    def _broken(self, test: pytest.Item) -> pytest.UsageError:
        return pytest.UsageError(f"{test.nodeid} fails without a mutant:\n{self.text}")

    def _passes(self, test: pytest.Item, mutant: str) -> bool:
        self.failed, self.seconds, self.text = False, 0.0, ""
        set_mutant_under_test(mutant)
        # The next "item" is the session, so that all fixtures end but its own.
        test.config.hook.pytest_runtest_protocol(item=test, nextitem=test.session)
        set_mutant_under_test("")
        return not self.failed


def function_of(mutant: str) -> str:
    """Return the function, `module.name` or `module.Class.name`, of a mutant's name."""
    module, _, name = mangled_name_from_mutant_name(mutant).rpartition(".")
    return f"{module}.{name.removeprefix('x_').removeprefix('xǁ').replace('ǁ', '.')}"


def change_of(mutant: str, path: Path) -> str:
    """Return the lines that a mutant has instead of others, without indentation."""
    lines = get_diff_for_mutant(mutant, path=path).splitlines()
    return "\n".join(line[1:].strip() for line in lines if line.startswith("+") and not line.startswith("+++"))


def report() -> bool:
    """Print the results by module and the survivors without a reason; return whether enough mutants were killed."""
    entries = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["survivors"]
    reasons = {(entry["function"], change) for entry in entries for change in entry["changes"]}
    packages: dict[str, Counter[str]] = defaultdict(Counter)
    survivors = []
    print(f"{'module':44}{'mutants':>9}{'killed':>9}{'survived':>9}{'explained':>10}")
    for data in modules():
        path, counts = Path(data.path), Counter[str]()
        for mutant, result in data.exit_code_by_key.items():
            if result is None:
                continue
            counts.update(["mutants", "killed" if result == KILLED else "survived"])
            if result == KILLED:
                continue
            change = change_of(mutant, path)
            if (function_of(mutant), change) in reasons:
                counts["explained"] += 1
            else:
                untested = " (no test calls it)" if result == UNTESTED else ""
                survivors.append(f"{function_of(mutant)}{untested}\n    " + change.replace("\n", "\n    "))
        if counts:
            columns = [f"{counts[name]:9}" for name in ("mutants", "killed", "survived", "explained")]
            print(f"{path!s:44}{''.join(columns)}")
            packages[".".join(path.parts[:2])] += counts
    print("", *survivors, "", sep="\n")
    shares = {name: (found["killed"] + found["explained"]) / found["mutants"] for name, found in packages.items()}
    for name, share in shares.items():
        print(f"{name}: {share:.1%} of {packages[name]['mutants']} mutants killed or explained, {LEAST:.0%} needed")
    return all(share >= LEAST for share in shares.values())


def main() -> int:
    """Test mutants and report; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tests", nargs="*", help="tests, if not all: files below tests/")
    parser.add_argument("--sample", type=int, default=0, help="so many mutants of each module, at random")
    parser.add_argument("--only", default="*", help="mutants of modules that match, such as cxrcore/explain/*")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    chosen = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.chdir(FOLDER)  # where mutmut looks for its settings and results
    generate()
    # The same examples for every mutant, and no search for the simplest one that fails.
    phases, checks = (Phase.explicit, Phase.generate), list(HealthCheck)
    settings.register_profile(
        "mutants", derandomize=True, deadline=None, database=None, phases=phases, suppress_health_check=checks
    )
    settings.load_profile("mutants")
    selection = [f"mutants/{name}" for name in chosen.tests or config().pytest_add_cli_args_test_selection]
    # Temporary files below build/ too, each deleted after its test.
    options = f"--timeout={_SECONDS} --no-summary -p no:cacheprovider --basetemp=tmp -o tmp_path_retention_policy=none"
    failed = pytest.main(
        [*options.split(), *selection],
        plugins=[MutantTests(chosen.sample, chosen.seed, bool(chosen.tests), chosen.only)],
    )
    if failed not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return int(failed)
    return 0 if report() else 1


if __name__ == "__main__":
    raise SystemExit(main())
