"""What a logistic head was chosen from."""

import pandas as pd
import streamlit as st

from cxrcore.features import backbones
from cxrcore.features.backbones import Backbone
from cxrcore.figures import formatting, selection
from cxrcore.files import csv_text
from cxrcore.i18n import t, translate
from cxrcore.runs import Run
from cxrcore.runs.models import Selection
from cxrcore.ui import feedback, kept_figures

_NO_BAR = {"displayModeBar": False}


def show(run: Run, found: Selection) -> None:
    """Show in a sentence what was chosen and why, and where there were several candidates their log loss, and their
    accuracy by the time for an image.
    """
    messages = [found.sentence, found.note] if found.note else [found.sentence]
    st.markdown(feedback.plain_text(" ".join(translate(message) for message in messages)))
    if len(found.trials) < 2:
        return
    backbone = backbones.get(run.config.backbone)
    left, right = st.columns(2)
    loss, cost = (
        kept_figures.made(selection.selection, found, backbone),
        kept_figures.made(selection.cost, found, backbone),
    )
    alt = t("Out-of-fold log loss of each candidate")
    left.plotly_chart(loss, key=f"selection {run.name}", alt=alt, config=_NO_BAR)
    chosen = found.chosen
    alt = t(
        "Out-of-fold accuracy of each candidate by milliseconds per image; of the chosen one {accuracy} and "
        "{milliseconds:.0f} ms",
        accuracy=formatting.with_interval(chosen.accuracy),
        milliseconds=backbone.milliseconds(chosen.size, chosen.tap),
    )
    right.plotly_chart(cost, key=f"cost {run.name}", alt=alt, config=_NO_BAR)
    with st.expander(t("Table"), key=f"candidates {run.name}"):
        table = _table(found, backbone)
        shares = {name: st.column_config.NumberColumn(format="percent") for name in table.columns[3:6]}
        st.dataframe(table, hide_index=True, column_config=shares)
        file = f"{run.name}-candidates.csv"
        st.download_button(t("Table as CSV"), csv_text(table), file, "text/csv", icon=":material/download:", key=file)


def _table(found: Selection, backbone: Backbone) -> pd.DataFrame:
    """Return a row for each candidate, those with the lowest log loss first; the accuracy with its interval is in the
    columns 3 to 5.
    """
    accuracy = t("accuracy")
    rows = [
        {
            t("Layer"): trial.tap.replace("+", " + "),
            t("Input size"): trial.size,
            t("ms per image"): round(backbone.milliseconds(trial.size, trial.tap), 1),
            accuracy: trial.accuracy.value,
            f"{accuracy} (2.5%)": trial.accuracy.low,
            f"{accuracy} (97.5%)": trial.accuracy.high,
            t("out-of-fold log loss"): round(trial.loss, 4),
            "L2": trial.l2,
        }
        for trial in sorted(found.trials, key=lambda trial: trial.loss)
    ]
    return pd.DataFrame(rows)
