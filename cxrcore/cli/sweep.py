"""`cxr sweep` and `cxr taps`: looking for the best settings."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cxrcore.cli import terminal, train
from cxrcore.cli.data import Json
from cxrcore.config import run_config
from cxrcore.errors import UserError

Knob = Annotated[
    list[str] | None,
    typer.Option(help="A setting to try: learning_rate=1e-4..1e-1, dropout=0..0.6, head=gap,probe, or its name alone."),
]


def sweep(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A new sweep's name, or that of one to go on with.")],
    data: Annotated[str | None, typer.Option(help="Name of the dataset.")] = None,
    file: Annotated[Path | None, typer.Option("--config", help="A YAML file of a run to start from.")] = None,
    preset: Annotated[str, typer.Option(help="studio or tutorial.")] = "studio",
    backbone: Annotated[str | None, typer.Option(help="A key of the table of backbones.")] = None,
    tap: Annotated[str | None, typer.Option(help="Backbone layer whose output the head sees.")] = None,
    epochs: Annotated[int | None, typer.Option()] = None,
    knob: Knob = None,
    trials: Annotated[int, typer.Option(min=0, help="How many trials; 0 for no limit.")] = 50,
    minutes: Annotated[float, typer.Option(min=0, help="How long it trains; 0 for no limit.")] = 0,
    open_: Annotated[
        int | None, typer.Option("--open", help="Train this trial as a run of its own, and test it.")
    ] = None,
    json: Json = False,
) -> None:
    """Try many settings on kept activations, ranked by validation; a sweep that was interrupted goes on."""
    from cxrcore.sweeps import leaderboard, plan, promote, search
    from cxrcore.sweeps import sweep as sweeps

    known = [found for found in sweeps.listing() if found.name == name]
    if open_ is not None:
        with terminal.progress() as listen:
            run = promote.train(sweeps.load(name), open_, listen)
        train.report(run, json)
        return
    if known:
        found = known[0]
    else:
        given = {"dataset": data, "backbone": backbone, "tap": tap, "epochs": epochs}
        base = train.chosen(preset, file, given)
        knobs = dict(_knob(text, plan.offered(base.backbone)) for text in knob or ["learning_rate", "dropout", "head"])
        values = {"base": base.model_dump(mode="json"), "knobs": knobs, "trials": trials, "minutes": minutes}
        found = sweeps.create(name, plan.make(values))
    with terminal.progress() as listen:
        search.search(found, listen)
    table, shares = leaderboard.table(found), leaderboard.importance(found)
    best = table.head(10)
    lines = [best.to_string(index=False), f"{len(table)} trials, ranked by the validation loss; none has been tested."]
    lines.append(f"`cxr sweep {name} --open {best['number'][0]}` trains the best as a run of its own and tests it.")
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    terminal.result({"sweep": name, "trials": rows, "importance": shares}, "\n".join(lines), json)


def _knob(text: str, offered: dict[str, Any]) -> tuple[str, Any]:
    name, _, range_ = text.partition("=")
    if name not in offered:
        raise UserError(
            "knob: expected some of {expected}. Received: {received}", expected=", ".join(offered), received=name
        )
    known = offered[name].model_dump()
    if not range_:
        return name, known
    if "choices" in known:
        kind = type(known["choices"][0])
        values = [value == "true" if kind is bool else kind(value) for value in range_.split(",")]
        return name, {"choices": values}
    low, _, high = range_.partition("..")
    try:
        return name, known | {"low": float(low), "high": float(high)}
    except ValueError:
        raise UserError(
            "knob {name}: expected two numbers as in 0.1..0.5. Received: {text}", name=name, text=range_
        ) from None


def taps(
    data: Annotated[str, typer.Option(help="Name of the dataset.")],
    backbone: Annotated[str | None, typer.Option(help="A key of the table of backbones.")] = None,
    size: Annotated[int | None, typer.Option(help="Input height and width in pixels.")] = None,
    split_seed: Annotated[int | None, typer.Option(help="Of the split whose test images stay unseen.")] = None,
    json: Json = False,
) -> None:
    """Try every layer of a backbone by a quick linear probe, and suggest one.

    The test images of the split by patient stay unseen; with several rounds, every image is tested on in one of them.
    """
    from cxrcore.training import tap_selection

    given: dict[str, Any] = {"dataset": data, "backbone": backbone, "size": size}
    if split_seed is not None:
        given["split"] = {"seed": split_seed}
    with terminal.progress() as listen:
        found = tap_selection.suggest(run_config.make(**given), listen)
    lines = []
    for row in found["taps"]:
        share = terminal.share({"value": row["accuracy"], "ci95": row["ci95"]})
        shape = " x ".join(map(str, row["map"]))
        lines.append(f"{row['tap']:24} {shape:16} {row['milliseconds']:6.1f} ms an image  {share}")
    lines.append(f"Suggested: {found['suggested']} (the cheapest within one standard error of the best).")
    terminal.result(found, "\n".join(lines), json)
