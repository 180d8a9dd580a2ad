"""Mutation testing of the splits, the evaluation and the explanations with mutmut: `make mutants`.

Most tests of mutants end at the first failure, so a surviving mutant takes longest. Everything takes hours: a sample of
each module takes minutes. mutmut works in build/mutants and goes on where it was stopped.
"""

import os
import random
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files
from mutmut.utils.format_utils import get_mutant_name

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "build" / "mutants"
EXPLAINED = ROOT / "tests" / "explained_mutants.toml"
LEAST = 0.85
_FOUND = ("killed", "timeout", "segfault")


def prepare() -> None:
    """Make the working folder: links to what mutmut copies from it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in ("cxrcore", "tests", "pyproject.toml"):
        if not (FOLDER / name).exists():
            (FOLDER / name).symlink_to(ROOT / name)


def sampled(size: int, seed: int) -> list[str]:
    """Return the names of `size` mutants of each module, at random."""
    chosen = []
    for path in sorted(walk_mutatable_files()):
        names = mutate_file_contents(str(path), path.read_text()).mutant_names
        chosen += [get_mutant_name(path, name) for name in random.Random(seed).sample(names, min(size, len(names)))]
    return chosen


def changed_lines(mutant: str, path: Path) -> str:
    """Return the lines of code that a mutant has instead of others, without indentation."""
    lines = get_diff_for_mutant(mutant, path=path).splitlines()
    return "\n".join(line[1:].strip() for line in lines if line.startswith("+") and not line.startswith("+++"))


def function_of(mutant: str) -> str:
    """Return the function, `module.name` or `module.Class.name`, of a mutant's name."""
    module, _, mangled = mutant.rpartition("__mutmut_")[0].rpartition(".")
    return f"{module}.{mangled.removeprefix('x_').removeprefix('xǁ').replace('ǁ', '.')}"


def report() -> bool:
    """Print what was found by module, and each survivor without an explanation; return whether enough was killed."""
    entries = tomllib.loads(EXPLAINED.read_text())["explained"]
    explained = {(entry["function"], line) for entry in entries for line in entry["mutants"]}
    packages: dict[str, Counter[str]] = {}
    print(f"{'module':44}{'mutants':>9}{'killed':>9}{'survived':>9}{'explained':>10}")
    survivors = []
    for path in sorted(walk_mutatable_files()):
        data, counts = SourceFileMutationData(path=path), Counter[str]()
        data.load()
        for mutant, code in data.exit_code_by_key.items():
            status = status_by_exit_code[code]
            if status == "not checked":
                continue
            counts["mutants"] += 1
            if status in _FOUND:
                counts["killed"] += 1
                continue
            counts["survived"] += 1
            change = changed_lines(mutant, path)
            if (function_of(mutant), change) in explained:
                counts["explained"] += 1
            else:
                survivors.append(f"{status}: {mutant}\n    " + change.replace("\n", "\n    "))
        if counts:
            columns = [counts[name] for name in ("mutants", "killed", "survived", "explained")]
            print(f"{path!s:44}{columns[0]:9}{columns[1]:9}{columns[2]:9}{columns[3]:10}")
            packages.setdefault(path.parts[1], Counter()).update(counts)
    print("\n" + "\n".join(survivors) + "\n")
    enough = True
    for package, counts in packages.items():
        share = (counts["killed"] + counts["explained"]) / counts["mutants"]
        enough &= share >= LEAST
        print(f"{package}: {share:.1%} of {counts['mutants']} mutants killed or explained, {LEAST:.0%} needed")
    return enough


def main(
    only: Annotated[list[str] | None, typer.Argument(help="Names of mutants; * stands for anything.")] = None,
    sample: Annotated[int, typer.Option(help="So many mutants of each module, 0 for all.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
    processes: Annotated[int, typer.Option(help="Mutants tested at the same time.")] = 2,
    run: Annotated[bool, typer.Option(help="Test mutants, not only report what was found before.")] = True,
) -> None:
    """Test mutants and report by module."""
    prepare()
    os.chdir(FOLDER)  # where mutmut's functions look for its settings and results
    names = sampled(sample, seed) if sample else only or []
    if run:
        mutmut = Path(sys.executable).with_name("mutmut")
        subprocess.run([mutmut, "run", "--max-children", str(processes), *names], check=True)
    if not report():
        raise SystemExit(1)


if __name__ == "__main__":
    typer.run(main)
