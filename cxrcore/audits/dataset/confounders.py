"""Association of source, view, sex, age, size, format, depth and text with the class.

Cramér's V (Cramér 1946): V = sqrt(chi2 / (n min(r - 1, k - 1))) of the table of r values by k classes; 0 for no
association, 1 for a value that determines the class. By SciPy.
"""

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency
from scipy.stats.contingency import association

from cxrcore.audits.dataset.issues import CONFOUNDER, Issue, examples, issue
from cxrcore.data import classes
from cxrcore.i18n import N_
from cxrcore.messages import Message, msg

COLUMNS = {
    "source": N_("source"),
    "view": N_("view"),
    "age": N_("age band"),
    "sex": N_("sex"),
    "size": N_("image size"),
    "format": N_("file format"),
    "bits": N_("bit depth"),
    "letters": N_("text at the border"),
}
# A model can see these in the image only, so a missing entry is not a value of its own.
OF_THE_PERSON = ("view", "age", "sex")
UNKNOWN, YES, NO = "unknown", "yes", "no"
# Code in the tables -> its text. Other values are data.
VALUES = {UNKNOWN: N_("unknown"), YES: N_("yes"), NO: N_("no")}
FORMS = {"portrait": N_("portrait"), "square": N_("square"), "landscape": N_("landscape")}
STRONG = 0.3
SIGNIFICANT = 1e-3  # largest p-value
DETERMINES = 0.98


def columns(table: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of `COLUMNS` as text; a missing value is `UNKNOWN`."""
    values = pd.DataFrame(
        {name: table[name].astype(str) for name in ("source", "view", "age", "sex", "format", "bits")}
    )
    values["size"] = _size(table["width"], table["height"])
    values["letters"] = np.where(measures["letters"] >= 3, YES, NO)
    return values[list(COLUMNS)].replace("", UNKNOWN)


def cramers_v(values: pd.DataFrame, labels: pd.Series) -> dict[str, float | None]:
    """Return Cramér's V by column over the images with a value, None for one value or one class only."""
    return {name: _v(_crossed(values[name], labels)) for name in values}


def tables(values: pd.DataFrame, labels: pd.Series) -> dict[str, dict[str, dict[str, int]]]:
    """Return, by column and value, how many images of each class have it."""
    return {
        name: {
            str(value): {str(label): int(count) for label, count in row.items()}
            for value, row in pd.crosstab(values[name], labels).iterrows()
        }
        for name in values
    }


def display(value: str) -> Message | str:
    """Return a value of a column for a message or a page."""
    band, _, form = value.rpartition(" ")
    if form in FORMS and band:
        return msg("{band} pixels, {form}", band=band, form=Message(id=FORMS[form]))
    return Message(id=VALUES[value]) if value in VALUES else value


def _crossed(values: pd.Series, labels: pd.Series) -> pd.DataFrame:
    known = values != UNKNOWN if values.name in OF_THE_PERSON else values.notna()
    return pd.crosstab(values[known], labels[known])


def find(values: pd.DataFrame, table: pd.DataFrame) -> list[Issue]:
    """Return an issue for each column that is associated with the class, the strongest first."""
    v = {name: value for name, value in cramers_v(values, table["label"]).items() if value is not None}
    strong = [name for name, value in v.items() if value >= STRONG and _p_value(values[name], table) < SIGNIFICANT]
    return [_issue(name, v[name], values[name], table) for name in sorted(strong, key=lambda name: -v[name])]


def _issue(name: str, v: float, values: pd.Series, table: pd.DataFrame) -> Issue:
    column = Message(id=COLUMNS[name])
    crossed = _crossed(values, table["label"])
    pair = _determined(crossed)
    if pair is None:
        sentence = msg(
            "Associated with the class: {column} (V = {v:.2f}). {strength}",
            column=column,
            v=v,
            strength=_strength(crossed),
        )
        return issue(CONFOUNDER, name, sentence, examples(table))
    value, label = pair
    only = crossed.loc[value].sum() == crossed.loc[value, label]
    sentence = msg(
        "{which} ({value}), {other}: a model can learn the {learned} instead of the disease (V = {v:.2f}).",
        which=_which(crossed.loc[value, label] / crossed[label].sum(), label, name),
        value=display(value),
        other=msg("and no other image does") if only else msg("and hardly any other image does"),
        learned=msg("hospital") if name == "source" else column,
        v=v,
    )
    rows = table["row"][(values == value) & (table["label"] == label)][:24]
    return issue(CONFOUNDER, name, sentence, rows)


def _strength(crossed: pd.DataFrame) -> Message:
    total = crossed.to_numpy().sum()
    right, chance = crossed.max(axis=1).sum() / total, crossed.sum().max() / total
    if right < chance + 0.05:
        return msg("Some values are far more frequent in one class, but they do not determine the class.")
    return msg(
        "From it alone, the class of {right:.0%} of the images can be predicted (chance {chance:.0%}).",
        right=right,
        chance=chance,
    )


def _which(share: float, label: str, name: str) -> Message:
    shown = classes.display(label)
    if name == "source":
        if share == 1:
            return msg("Every {label} image comes from one source", label=shown)
        return msg("{share:.0%} of the {label} images come from one source", share=share, label=shown)
    column = Message(id=COLUMNS[name])
    if share == 1:
        return msg("Every {label} image has the same {column}", label=shown, column=column)
    return msg("{share:.0%} of the {label} images have the same {column}", share=share, label=shown, column=column)


def _determined(crossed: pd.DataFrame) -> tuple[str, str] | None:
    """Return the value and the class that occur almost only together, None if there is no such pair."""
    of_class, of_value = crossed / crossed.sum(), crossed.div(crossed.sum(axis=1), axis=0)
    both = np.minimum(of_class, of_value).stack()
    best = both.idxmax()
    return (str(best[0]), str(best[1])) if both[best] >= DETERMINES else None


def _v(crossed: pd.DataFrame) -> float | None:
    return float(association(crossed.to_numpy(), method="cramer")) if min(crossed.shape) > 1 else None


def _p_value(values: pd.Series, table: pd.DataFrame) -> float:
    """Return the p-value of the chi-squared test of independence; each patient counts once for a value and class."""
    once = pd.DataFrame({"value": values, "label": table["label"], "patient": table["patient"]}).drop_duplicates()
    return float(chi2_contingency(_crossed(once["value"].rename(values.name), once["label"])).pvalue)


def _size(width: pd.Series, height: pd.Series) -> pd.Series:
    longest = np.maximum(width, height).clip(lower=1)
    band = pd.cut(longest, [0, 255, 511, 1023, 2047, np.inf], labels=["< 256", "256+", "512+", "1024+", "2048+"])
    aspect = width / height.clip(lower=1)
    form = pd.cut(aspect, [0, 0.95, 1.05, np.inf], labels=list(FORMS))
    return band.astype(str) + " " + form.astype(str)
