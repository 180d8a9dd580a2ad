"""Images that are unlike an upright frontal radiograph, or have text burned in.

The threshold of each check was set on real frontal radiographs and phantoms; `benchmarks/intake.py` measures the rates
in `Check.performance`.
"""

from dataclasses import dataclass

import pandas as pd
from PIL import Image

from cxrcore.audits.dataset.issues import OUTLIER, Issue, image_count, issue
from cxrcore.data.image_statistics import measure
from cxrcore.i18n import N_
from cxrcore.messages import Message, msg


@dataclass(frozen=True)
class Check:
    """A check of single images: texts to be translated. `performance` is "" where it was not measured."""

    title: str
    description: str
    performance: str = ""


# Measured on 395 real frontal radiographs, unchanged and changed (`python -m benchmarks.intake outliers`).
CHECKS = {
    "nearly blank": Check(
        N_("nearly blank"),
        N_("almost one grey value."),
        N_("False-positive rate 0% (395 real images), sensitivity 100%."),
    ),
    "in colour": Check(
        N_("in colour"),
        N_("colours, as in a photograph or a screenshot."),
        N_("False-positive rate 0.5% (395 real images), sensitivity 100%."),
    ),
    "inverted": Check(
        N_("inverted"),
        N_("air is bright, as MONOCHROME1 shown without inversion."),
        N_("False-positive rate 0% (395 real images), sensitivity 98%."),
    ),
    "turned": Check(
        N_("rotated"),
        N_("a quarter turn from upright."),
        N_("False-positive rate 0% (395 real images), sensitivity 87%."),
    ),
    "not frontal": Check(
        N_("not frontal"),
        N_("unlike a frontal chest radiograph: a lateral view, a CT slice, or another picture."),
        N_("False-positive rate 1.5% (395 real frontal images); sensitivity not measured on lateral views."),
    ),
    "letters": Check(
        N_("text at the border"),
        N_("letters or numbers burned in near the border. They can name a hospital or a person."),
        N_("Sensitivity 88% for words drawn on real images."),
    ),
    "burned-in annotation": Check(
        N_("burned-in annotation"), N_("marked as having text burned in (DICOM), which may name a person.")
    ),
}
SHAPES = ("nearly blank", "in colour", "inverted", "turned", "not frontal")


def flags(measures: pd.DataFrame, burned_in: pd.Series) -> dict[str, pd.Series]:
    """Return, by check, which images it flags (boolean); an image has at most one of `SHAPES`."""
    upright, turned = measures["upright"], measures["turned"]
    shapes = {
        "nearly blank": measures["spread"] < 5,
        "in colour": measures["chroma"] > 12,
        "inverted": upright < -0.3,
        "turned": (turned > 0.4) & (turned > upright + 0.25),
        "not frontal": upright < 0.3,
    }
    flagged = pd.Series(False, index=measures.index)
    for name, applies in shapes.items():
        shapes[name] = applies & ~flagged
        flagged |= applies
    return shapes | {"letters": measures["letters"] >= 3, "burned-in annotation": burned_in == "yes"}


def shape_issue(image: Image.Image) -> str:
    """Return the check of `SHAPES` that flags an image of mode L or RGB, "" for an upright frontal radiograph."""
    found = flags(pd.DataFrame([measure(image)]), pd.Series([""]))
    return next((name for name in SHAPES if bool(found[name].iloc[0])), "")


def find(table: pd.DataFrame, measures: pd.DataFrame) -> list[Issue]:
    """Return an issue for each check that flags an image."""
    found = []
    for name, applies in flags(measures, table["burned_in"]).items():
        rows = list(table["row"][applies])
        if rows:
            found.append(issue(OUTLIER, name, _sentence(CHECKS[name], len(rows)), rows, rows))
    return found


def _sentence(check: Check, count: int) -> Message:
    sentence = msg("{images}: {what}", images=image_count(count), what=Message(id=check.description))
    if not check.performance:
        return sentence
    performance = Message(id=check.performance)
    return msg("{sentence} Accuracy of this check: {performance}", sentence=sentence, performance=performance)
