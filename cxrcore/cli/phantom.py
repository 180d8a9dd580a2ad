"""`cxr data phantom`: generate synthetic X-rays."""

from typing import Annotated

import typer

from cxrcore.cli import terminal
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.data.phantom.lesions import DISEASES
from cxrcore.progress import of_stage


def phantom(
    name: Annotated[str, typer.Argument(help="Name of the new dataset.")] = "phantom",
    classes: Annotated[
        str, typer.Option(help=f"Two or more of {', '.join(DISEASES)}, in the order of the dataset's classes.")
    ] = ",".join(phantoms.DEFAULTS.classes),
    patients: Annotated[int, typer.Option(min=3, help="Patients per class.")] = phantoms.DEFAULTS.patients,
    images: Annotated[int, typer.Option(min=1, help="Images per patient.")] = phantoms.DEFAULTS.images,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same images.")] = phantoms.DEFAULTS.seed,
    planted_class: Annotated[
        str | None, typer.Option(help="Class whose images all carry a small mark, which a model can learn instead.")
    ] = phantoms.DEFAULTS.planted_class,
    replace: Annotated[bool, typer.Option(help="Replace a dataset of this name.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Generate phantoms: synthetic X-rays with known lungs and lesions, for a question of two to ten classes."""
    chosen = [text.strip() for text in classes.split(",")]
    with terminal.progress() as bar:
        progress = of_stage(bar, "generating X-rays")
        data = phantoms.create(name, patients, images, seed, planted_class, progress, replace, chosen)
    value = {"dataset": name, "classes": data.counts()}
    text = f"Dataset {name}: " + ", ".join(f"{count} {label}" for label, count in data.counts().items())
    terminal.result(value, text, json)
