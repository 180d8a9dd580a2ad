"""What else tells the classes apart: source, view, sex, age, size, format, depth, letters.

Cramér's V (Cramér 1946): V = sqrt(chi2 / (n min(r - 1, k - 1))) of the table of r values by k classes, 0 for none and 1
for a value that tells the class. By SciPy.
"""

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency
from scipy.stats.contingency import association

from cxrcore.audits.dataset.issues import CONFOUND, Issue
from cxrcore.i18n import N_
from cxrcore.messages import msg

COLUMNS = {
    "source": N_("source"),
    "view": N_("view"),
    "age": N_("age band"),
    "sex": N_("sex"),
    "size": N_("image size"),
    "format": N_("file format"),
    "bits": N_("bit depth"),
    "letters": N_("lettering at the border"),
}
OF_THE_PERSON = ("view", "age", "sex")  # a model sees them only through the image, so not knowing them is no value
STRONG = 0.3
CERTAIN = 1e-3  # the most that chance may explain
ALONE = 0.98


def columns(table: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of `COLUMNS` as text; what is not known is `unknown`."""
    values = pd.DataFrame(
        {name: table[name].astype(str) for name in ("source", "view", "age", "sex", "format", "bits")}
    )
    values["size"] = _size(table["width"], table["height"])
    values["letters"] = np.where(measures["letters"] >= 3, N_("yes"), N_("no"))
    return values[list(COLUMNS)].replace("", "unknown")


def cramers_v(values: pd.DataFrame, labels: pd.Series) -> dict[str, float | None]:
    """Return Cramér's V by column over the images for which it is known, None for one value or one class only."""
    return {name: _v(_crossed(values[name], labels)) for name in values}


def tables(values: pd.DataFrame, labels: pd.Series) -> dict[str, dict[str, dict[str, int]]]:
    """Return, by column and value, how many images of each class have it."""
    return {name: pd.crosstab(values[name], labels).to_dict("index") for name in values}


def _crossed(values: pd.Series, labels: pd.Series) -> pd.DataFrame:
    known = values != "unknown" if values.name in OF_THE_PERSON else values.notna()
    return pd.crosstab(values[known], labels[known])


def find(values: pd.DataFrame, table: pd.DataFrame) -> list[Issue]:
    """Return a finding for each column that goes with the class, the strongest first."""
    v = cramers_v(values, table["label"])
    strong = [name for name, value in v.items() if value is not None and value >= STRONG]
    certain = [name for name in strong if _by_chance(values[name], table) < CERTAIN]
    return [
        _finding(name, v[name] or 0.0, values[name], table)
        for name in sorted(certain, key=lambda name: -(v[name] or 0))
    ]


def _finding(name: str, v: float, values: pd.Series, table: pd.DataFrame) -> Issue:
    crossed = _crossed(values, table["label"])
    told = _told_alone(crossed)
    if told is None:
        sentence = msg(
            "The {column} goes with the class (V = {v:.2f}): {far}.", column=COLUMNS[name], v=v, far=_how_far(crossed)
        )
        return Issue(CONFOUND, name, sentence, _some(table))
    value, label = told
    sentence = msg(
        "{which} ({value}), and {other}: a model can learn the {learned} instead of the disease (V = {v:.2f}).",
        which=_which(crossed.loc[value, label] / crossed[label].sum(), label, name),
        value=value,
        other=N_("no other does")
        if crossed.loc[value].sum() == crossed.loc[value, label]
        else N_("hardly any other does"),
        learned=N_("hospital") if name == "source" else COLUMNS[name],
        v=v,
    )
    return Issue(CONFOUND, name, sentence, list(table["row"][(values == value) & (table["label"] == label)][:24]))


def _some(table: pd.DataFrame) -> list[int]:
    """Return some images of each class."""
    return list(table.groupby("label").head(4)["row"])


def _how_far(crossed: pd.DataFrame) -> str:
    total = crossed.to_numpy().sum()
    right, chance = crossed.max(axis=1).sum() / total, crossed.sum().max() / total
    if right < chance + 0.05:
        return N_("some values are far more frequent in one class, though it alone would not tell the class")
    return msg(
        "it alone would tell the class of {right:.0%} of the images (chance {chance:.0%})", right=right, chance=chance
    )


def _which(share: float, label: str, name: str) -> str:
    if name == "source":
        if share == 1:
            return msg("Every {label} image comes from one source", label=label)
        return msg("{share:.0%} of the {label} images come from one source", share=share, label=label)
    if share == 1:
        return msg("Every {label} image has one {column}", label=label, column=COLUMNS[name])
    return msg("{share:.0%} of the {label} images have one {column}", share=share, label=label, column=COLUMNS[name])


def _told_alone(crossed: pd.DataFrame) -> tuple[str, str] | None:
    """Return the value and the class that go with each other only, if there are such."""
    of_class, of_value = crossed / crossed.sum(), crossed.div(crossed.sum(axis=1), axis=0)
    both = np.minimum(of_class, of_value).stack()
    best = both.idxmax()
    return (str(best[0]), str(best[1])) if both[best] >= ALONE else None


def _v(crossed: pd.DataFrame) -> float | None:
    return float(association(crossed.to_numpy(), method="cramer")) if min(crossed.shape) > 1 else None


def _by_chance(values: pd.Series, table: pd.DataFrame) -> float:
    """Return the p-value of independence, counting each patient once for a value and class."""
    once = pd.DataFrame({"value": values, "label": table["label"], "patient": table["patient"]}).drop_duplicates()
    return float(chi2_contingency(_crossed(once["value"].rename(values.name), once["label"])).pvalue)


def _size(width: pd.Series, height: pd.Series) -> pd.Series:
    longest = np.maximum(width, height).clip(lower=1)
    band = pd.cut(longest, [0, 255, 511, 1023, 2047, np.inf], labels=["< 256", "256+", "512+", "1024+", "2048+"])
    aspect = width / height.clip(lower=1)
    form = pd.cut(aspect, [0, 0.95, 1.05, np.inf], labels=["portrait", "square", "landscape"])
    return band.astype(str) + " " + form.astype(str)
