"""The learning curve, and how many test patients a precise result needs."""

import pandas as pd
import streamlit as st

from cxrcore.audits import learning_curve
from cxrcore.evaluation import sample_size
from cxrcore.evaluation.sample_size import SampleSize
from cxrcore.features import backbones
from cxrcore.figures import charts, formatting
from cxrcore.i18n import t, translate
from cxrcore.runs import Run
from cxrcore.ui import background_tasks, digest, feedback, kept_figures


def show(run: Run, table: pd.DataFrame) -> None:
    """Show the learning curve of a run, or offer it, and the test patients needed for a result like that of `table`."""
    st.subheader(t("Learning curve and sample size"))
    found = learning_curve.load(run)
    needed = sample_size.sentences(_needed(table, tuple(run.classes), run.positive), table["patient"].nunique())
    sentences = [learning_curve.sentence(found), *needed] if found else needed
    st.markdown(" ".join(map(translate, sentences)))
    if found:
        _curve(found)
    description = t(
        "Trains a logistic regression on the features of this run's backbone with 10, 20, 50 and 100% of the training "
        "patients, and tests it on the same test patients. Takes about {duration}.",
        duration=feedback.duration(20 + len(run.table) / backbones.get(run.config.backbone).rate),
    )
    label = t("Compute the learning curve again") if found else t("Compute the learning curve")
    background_tasks.offer(run, "learning_curve", label, description, done=bool(found))
    st.caption(
        t(
            "Test patients: for a 95% interval as narrow, with one image each, if accuracy, probabilities and class "
            "proportions stay as they are. Accuracy after Wilson; ROC AUC and calibration after Riley et al. 2021 "
            "(doi:10.1002/sim.9025), each class against the rest."
        )
    )


def _curve(found: learning_curve.LearningCurve) -> None:
    patients, accuracies = (
        [point.patients for point in found.points],
        [point.accuracy for point in found.points],
    )
    said = [
        t("{patients} patients {accuracy}", patients=count, accuracy=formatting.with_interval(accuracy))
        for count, accuracy in zip(patients, accuracies, strict=True)
    ]
    figure = kept_figures.made(charts.learning_curve, patients, accuracies)
    st.plotly_chart(figure, key="learning curve", alt=t("Test accuracy by training patients") + ": " + "; ".join(said))
    st.caption(
        t(
            "Means over {repeats} draws of training patients, tested on {n} images of {patients} patients; 95% "
            "intervals over draws and test patients (bootstrap).",
            repeats=learning_curve.REPEATS,
            n=found.test_images,
            patients=found.test_patients,
        )
    )


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=digest.TABLES)
def _needed(table: pd.DataFrame, names: tuple[str, ...], positive: str) -> SampleSize:
    return sample_size.needed(table, names, positive)
