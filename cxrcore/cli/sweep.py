"""`cxr sweep`: search for better settings."""

from typing import Annotated, Any

import typer

from cxrcore.cli import terminal, train
from cxrcore.cli.options import ConfigFile, Data, Json, Overrides, Preset, make_config, with_settings

Knobs = Annotated[
    list[str] | None,
    typer.Option(
        "--knob", help="A setting to vary: learning_rate=1e-4..1e-1, dropout=0..0.6, head=gap,probe, or its name alone."
    ),
]


@with_settings()
def sweep(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a new sweep, or of one to continue.")],
    data: Data = None,
    file: ConfigFile = None,
    preset: Preset = "recommended",
    set_: Overrides = None,
    knob: Knobs = None,
    trials: Annotated[int, typer.Option(min=0, help="Number of trials; 0 for no limit.")] = 50,
    minutes: Annotated[float, typer.Option(min=0, help="Minutes of training; 0 for no limit.")] = 0,
    promote: Annotated[int | None, typer.Option(help="Train this trial as a run of its own, and test it.")] = None,
    json: Json = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Try many settings on cached features, ranked by validation; a sweep that was interrupted continues."""
    from cxrcore.sweeps import leaderboard, plan, search
    from cxrcore.sweeps import promote as promotion
    from cxrcore.sweeps import sweep as sweeps

    if promote is not None:
        with terminal.progress() as progress:
            run = promotion.train(sweeps.load(name), promote, progress)
        train.report(run, json)
        return
    if name in [known.name for known in sweeps.listing()]:
        found = sweeps.load(name)
    else:
        base = make_config(preset, file, data, settings, set_ or [])
        offered = plan.offered(base.backbone)
        ranges = dict(plan.parse_range(text, offered) for text in knob or plan.USUAL)
        values = {"base": base.plain(), "settings": ranges, "trials": trials, "minutes": minutes}
        found = sweeps.create(name, plan.make(values))
    with terminal.progress() as progress:
        search.search(found, progress)
    table, importance = leaderboard.table(found), leaderboard.importance(found)
    best = table.head(10)
    lines = [best.to_string(index=False), f"{len(table)} trials, ranked by validation loss; none has been tested."]
    lines += [f"A trial failed: {message}" for message in leaderboard.failures(found)[:1]]
    lines.append(f"`cxr sweep {name} --promote {best['number'][0]}` trains the best as a run of its own and tests it.")
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    terminal.result({"sweep": name, "trials": rows, "importance": importance}, "\n".join(lines), json)
