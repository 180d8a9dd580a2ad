"""Images that are not what they should be: inverted, blank, coloured, turned, not frontal, or written on.

The threshold of each was set on the real frontal radiographs and phantoms; `benchmarks/intake.py` measures how often
each check is right.
"""

import pandas as pd
from PIL import Image

from cxrcore.audits.dataset.issues import OUTLIER, Issue, images
from cxrcore.data.image_statistics import measure
from cxrcore.i18n import N_
from cxrcore.messages import msg

CHECKS = {
    "nearly blank": N_("almost one grey value."),
    "in colour": N_("colours, as a photograph or a screen has them."),
    "inverted": N_("air looks bright: inverted, as MONOCHROME1 shown without inversion."),
    "turned": N_("a quarter turn from upright."),
    "not frontal": N_("unlike a frontal chest radiograph: a lateral view, a CT slice, or another picture."),
    "letters": N_("letters or numbers burned in near the border. They can name a hospital or a person."),
    "burned-in annotation": N_("marked as having text burned in (DICOM), which may name a person."),
}

# On 395 real frontal radiographs, as they are and made so (`python -m benchmarks.intake outliers`).
MEASURED = {
    "nearly blank": N_("Said wrongly of none of 395 real images; finds all."),
    "in colour": N_("Said of 0.5% of 395 real images; finds all."),
    "inverted": N_("Said wrongly of none of 395 real images; finds 98%."),
    "turned": N_("Said wrongly of none of 395 real images; finds 87%."),
    "not frontal": N_("Said wrongly of 1.5% of 395 real frontal images; not measured on lateral views."),
    "letters": N_("Finds 88% of words put on real images."),
    "burned-in annotation": "",
}
SHAPES = ("nearly blank", "in colour", "inverted", "turned", "not frontal")


def what(measures: pd.DataFrame, burned_in: pd.Series) -> dict[str, pd.Series]:
    """Return, by check, which images it applies to; an image is only one of the first five."""
    upright, turned = measures["upright"], measures["turned"]
    shape = {
        "nearly blank": measures["spread"] < 5,
        "in colour": measures["chroma"] > 12,
        "inverted": upright < -0.3,
        "turned": (turned > 0.4) & (turned > upright + 0.25),
        "not frontal": upright < 0.3,
    }
    seen = pd.Series(False, index=measures.index)
    for name, applies in shape.items():
        shape[name] = applies & ~seen
        seen |= applies
    return shape | {"letters": measures["letters"] >= 3, "burned-in annotation": burned_in == "yes"}


def shape(image: Image.Image) -> str:
    """Return the first of `SHAPES` that applies to an RGB image, "" if it looks like an upright frontal radiograph."""
    found = what(pd.DataFrame([measure(image)]), pd.Series([""]))
    return next((name for name in SHAPES if bool(found[name].iloc[0])), "")


def find(table: pd.DataFrame, measures: pd.DataFrame) -> list[Issue]:
    """Return a finding for each check that applies to an image."""
    found = []
    for name, applies in what(measures, table["burned_in"]).items():
        rows = list(table["row"][applies])
        if rows:
            sentence = msg("{images} like this: {what}", images=images(len(rows)), what=CHECKS[name])
            if MEASURED[name]:
                sentence = msg(
                    "{sentence} How good this check is: {measured}", sentence=sentence, measured=MEASURED[name]
                )
            found.append(Issue(OUTLIER, name, sentence, rows, rows))
    return found
