"""`cxr doctor` and `cxr gc`."""

from typing import Annotated

import typer

from cxrcore import settings
from cxrcore.cli import terminal
from cxrcore.cli.options import Json
from cxrcore.maintenance import collection, doctor


def check(
    repair: Annotated[bool, typer.Option("--repair", help="Repair what can be repaired without loss.")] = False,
    json: Json = False,
) -> int:
    """Check the workspace: damaged runs and datasets, dead processes, leftovers. The exit code is 1 if any is left."""
    found = doctor.check()
    left = doctor.repair(found) if repair else found
    repaired = [problem for problem in found if not any(_same(problem, other) for other in left)]
    rows = [("repaired", problem) for problem in repaired]
    rows += [("can be repaired" if problem.repair else "to be decided", problem) for problem in left]
    values = [{"state": state, "path": str(problem.path), "message": str(problem.message)} for state, problem in rows]
    text = "\n".join(f"{state}: {problem.message} {problem.path}" for state, problem in rows)
    terminal.result({"problems": values}, text or "Nothing is wrong.", json)
    return 1 if left else 0


def gc(
    yes: Annotated[bool, typer.Option("--yes", help="Delete it; without this, it is listed only.")] = False,
    trash: Annotated[bool, typer.Option("--trash", help="Also the runs in the trash.")] = False,
    json: Json = False,
) -> None:
    """List what may be deleted to free space, and delete it with --yes. Checkpoints and logs of runs are kept."""
    if yes:
        settings.require_writable()
    found = collection.find(trash)
    if yes:
        collection.delete(found)
    total = sum(unused.size for unused in found)
    values = [{"path": str(unused.path), "bytes": unused.size, "reason": str(unused.reason)} for unused in found]
    lines = [f"{unused.size:>14,} bytes  {unused.path}: {unused.reason}" for unused in found]
    if not found:
        lines = ["Nothing can be deleted."]
    elif yes:
        lines.append(f"Deleted: {total:,} bytes.")
    else:
        lines.append(f"{total:,} bytes can be freed. `cxr gc --yes` deletes these files.")
    terminal.result({"unused": values, "bytes": total, "deleted": yes}, "\n".join(lines), json)


def _same(first: doctor.Problem, second: doctor.Problem) -> bool:
    return (first.path, first.message) == (second.path, second.message)
