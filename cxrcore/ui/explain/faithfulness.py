"""The faithfulness checks of the heatmaps: a table of methods and checks, and a sentence on the worst."""

from collections.abc import Mapping

import streamlit as st

from cxrcore.explain import faithfulness
from cxrcore.explain.faithfulness import Faithfulness, RandomMapChecks
from cxrcore.explain.faithfulness_summary import MethodChecks
from cxrcore.explain.methods import METHODS
from cxrcore.figures import formatting
from cxrcore.i18n import N_, t, translate
from cxrcore.runs import Run
from cxrcore.ui import background_tasks, feedback

_ON_MODEL = {
    "deletion": N_("deletion"),
    "insertion": N_("insertion"),
    "over_random": N_("insertion over random"),
    "random_weights": N_("weight randomisation"),
    "stability": N_("noise stability"),
}
_ON_IMAGE = {
    "in_lungs": N_("share in lungs"),
}


def show(run: Run) -> None:
    """Show the checks of a run's heatmaps, or offer to run them."""
    found = faithfulness.load(run)
    st.caption(
        t("Do the heatmaps show what the model uses? These checks measure it. Passing does not prove a map is right.")
    )
    if found:
        _result(found)
    else:
        st.info(t("The heatmaps of this run have not been checked."), icon=":material/info:")
    images = min(faithfulness.curve_images(run), len(run.predictions("test")))
    description = t(
        "Deletes and inserts the brightest regions of {n} test images, randomises the model's weights, adds noise, and "
        "compares with known lesions and lungs. About {duration}.",
        n=images,
        duration=feedback.duration(faithfulness.seconds(run)),
    )
    label = t("Run faithfulness checks again") if found else t("Run faithfulness checks")
    background_tasks.offer(run, "faithfulness", label, description, done=bool(found))


def _result(found: Faithfulness) -> None:
    worst, flaws = found.worst, found.flaws
    title = translate(METHODS[worst].title)
    if flaws[worst]:
        sentences = " ".join(map(translate, flaws[worst]))
        text = t("Least faithful method: **{method}**. {flaws}", method=title, flaws=sentences)
        st.warning(text, icon=":material/warning:")
    else:
        st.success(t("No method fails a check. {method} has the lowest insertion over random.", method=title))
    named: dict[str, MethodChecks | RandomMapChecks] = {
        translate(METHODS[name].title): checks for name, checks in found.methods.items()
    }
    on_model = [_row(title, checks, _ON_MODEL) for title, checks in named.items()]
    st.dataframe([*on_model, _row(t("random map"), found.random, _ON_MODEL)], hide_index=True)
    st.dataframe([_row(title, checks, _ON_IMAGE, share=True) for title, checks in named.items()], hide_index=True)
    for name, sentences_ in flaws.items():
        if sentences_ and name != worst:
            st.caption(f"{translate(METHODS[name].title)}: " + " ".join(map(translate, sentences_)))
    checks = found.methods[worst]
    st.caption(
        t(
            "Layer {layer}, predicted class. **Deletion**: area under the probability while the brightest cells are "
            "blurred, low is good. **Insertion**: while they are restored, high is good (both, and noise, on {n} test "
            "images). **Insertion over random**: the difference to a random map; the interval should be above 0. "
            "**Weight randomisation**: rank correlation with the map of a model with random weights, 0 is good (n = "
            "{randomised}). **Noise stability**: rank correlation after noise of 1% of the range, 1 is good. "
            "**Lungs**: n = {lungs}, from {lungs_from}. 95% intervals in brackets: bootstrap over patients.",
            layer=found.layer,
            n=checks.deletion.n,
            randomised=checks.random_weights.n if checks.random_weights else 0,
            lungs=checks.in_lungs.n if checks.in_lungs else 0,
            lungs_from=translate(found.lungs_from),
        )
    )


def _row(
    title: str, checks: MethodChecks | RandomMapChecks, columns: Mapping[str, str], share: bool = False
) -> dict[str, str]:
    row = {t("method"): title}
    for name, column in columns.items():
        metric = getattr(checks, name, None)
        row[translate(column)] = formatting.with_interval(metric, 0) if share else formatting.number(metric, 2)
    return row
