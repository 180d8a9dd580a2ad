"""The faithfulness checks of the heatmaps: a sentence on the worst method, a dot plot for each check, and curves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from cxrcore.explain import faithfulness
from cxrcore.explain.faithfulness import Curves, Faithfulness, MeanCurves
from cxrcore.explain.faithfulness_summary import SAME_MAP, STABLE, MethodChecks, lesion_sentence
from cxrcore.explain.methods import METHODS
from cxrcore.figures import deletion_insertion, formatting, palette
from cxrcore.figures.deletion_insertion import MapCurves
from cxrcore.figures.dot_plot import Dot, dot_plot
from cxrcore.i18n import N_, format_number, t, translate
from cxrcore.messages import msg
from cxrcore.metric import Metric
from cxrcore.runs import Run
from cxrcore.ui import background_tasks, kept_figures, metric_table

_NO_BAR = {"displayModeBar": False}
_GREY = "#888"  # of baselines
_LESIONS_OF = "grad-cam"  # the method of the sentence on lesions


@dataclass(frozen=True)
class _Check:
    """One check: a field of `MethodChecks` or of its `LesionChecks`, its name, which values are good, and the line to
    compare with: its label, with `{value}` for the place, and the place, None for no line.
    """

    field: str
    name: str
    good: str
    line: Callable[[Faithfulness], tuple[str, float | None]] = lambda _: ("", None)
    share: bool = False
    lesions: bool = False

    def of(self, checks: MethodChecks) -> Metric | None:
        """Return the value of a method."""
        value: Metric | None = getattr(checks.lesions if self.lesions else checks, self.field, None)
        return value


def _lesion_check(field: str, name: str) -> _Check:
    def line(found: Faithfulness) -> tuple[str, float | None]:
        chance: Metric | None = getattr(found.random_point, field, None)
        return _RANDOM_POINT, chance.value if chance else None

    return _Check(field, name, _HIGH, line, share=True, lesions=True)


_RANDOM_MAP, _LIMIT = N_("random map"), N_("limit {value}")
_RANDOM_POINT, _LUNG_CENTRES = N_("random point in the lungs"), N_("centres of the lungs")
_HIGH, _LOW = N_("high is good"), N_("low is good")
_CHECKS = (
    _Check("over_random", N_("insertion over random"), _HIGH, lambda _: (_RANDOM_MAP, 0.0)),
    _Check("random_weights", N_("weight randomisation"), N_("0 is good"), lambda _: (_LIMIT, SAME_MAP)),
    _Check("stability", N_("noise stability"), N_("1 is good"), lambda _: (_LIMIT, STABLE)),
    _lesion_check("pointing", N_("pointing game")),
    _lesion_check("energy", N_("share in lesions")),
    _lesion_check("auprc", N_("area under the precision-recall curve")),
    _lesion_check("iou", N_("intersection over union")),
    _Check("in_lungs", N_("share in lungs"), _HIGH, share=True),
    _Check("deletion", N_("deletion"), _LOW, lambda found: (_RANDOM_MAP, found.random.deletion.value)),
    _Check("insertion", N_("insertion"), _HIGH, lambda found: (_RANDOM_MAP, found.random.insertion.value)),
)


def show(run: Run) -> None:
    """Show the checks of a run's heatmaps, or offer to run them."""
    found = faithfulness.load(run)
    st.caption(
        t("Do the heatmaps show what the model uses? These checks measure it. Passing does not prove a map is right.")
    )
    if found:
        _result(run, found)
    else:
        st.info(t("The heatmaps of this run have not been checked."), icon=":material/info:")
    images = min(faithfulness.curve_images(run), len(run.predictions("test")))
    description = t(
        "Deletes and inserts the brightest regions of {n} test images, randomises the model's weights, adds noise, and "
        "compares with known lesions and lungs. About {duration}.",
        n=images,
        duration=background_tasks.duration(faithfulness.seconds, run),
    )
    label = t("Run faithfulness checks again") if found else t("Run faithfulness checks")
    background_tasks.offer(run, "faithfulness", label, description, done=bool(found))


def _result(run: Run, found: Faithfulness) -> None:
    worst, flaws = found.worst, found.flaws
    title = translate(METHODS[worst].title)
    if flaws[worst]:
        sentences = " ".join(map(translate, flaws[worst]))
        text = t("Least faithful method: **{method}**. {flaws}", method=title, flaws=sentences)
        st.warning(text, icon=":material/warning:")
    else:
        st.success(t("No method fails a check. {method} has the lowest insertion over random.", method=title))
    if known := found.methods[_LESIONS_OF].lesions if _LESIONS_OF in found.methods else None:
        method = msg(METHODS[_LESIONS_OF].title)
        st.markdown(translate(lesion_sentence(method, known, found.random_point, found.lung_centres)))
    shown = [check for check in _CHECKS if any(_values(found, check))]
    for start in range(0, len(shown), 2):
        for place, check in zip(st.columns(2), shown[start : start + 2], strict=False):
            with place:
                _dots(found, check)
    if found.curves:
        _curves(found.curves)
    with st.expander(t("Table and method")):
        for name, sentences_ in flaws.items():
            if sentences_ and name != worst:
                st.caption(f"{translate(METHODS[name].title)}: " + " ".join(map(translate, sentences_)))
        metric_table.show(_table(found, share=False), f"{run.name}-faithfulness-model.csv", share=False)
        metric_table.show(_table(found, share=True), f"{run.name}-faithfulness-image.csv")
        _method(found)


def _values(found: Faithfulness, check: _Check) -> list[Metric | None]:
    return [check.of(checks) for checks in found.methods.values()]


def _baselines(found: Faithfulness, check: _Check) -> dict[str, Metric | None]:
    """Return the values of the baselines of a check of lesions."""
    if not check.lesions or not found.random_point:
        return {}
    values = {_RANDOM_POINT: found.random_point, _LUNG_CENTRES: found.lung_centres}
    return {translate(name): getattr(checks, check.field, None) for name, checks in values.items()}


def _dots(found: Faithfulness, check: _Check) -> None:
    """Show a check, one row for each method, the least faithful method in another colour."""
    rows = [
        Dot(
            translate(METHODS[name].title),
            value,
            palette.WRONG if found.flaws[name] and name == found.worst else palette.TRAINING,
        )
        for name, value in zip(found.methods, _values(found, check), strict=True)
    ]
    rows += [Dot(name, value, _GREY) for name, value in _baselines(found, check).items()]
    name = translate(check.name)
    label, place = check.line(found)
    line = None if place is None else (t(label, value=format_number(place, ".0%" if check.share else ".1f")), place)
    st.markdown(f"**{name[:1].upper()}{name[1:]}**")
    figure = kept_figures.made(dot_plot, rows, translate(check.good), line, percent=check.share)
    write = formatting.with_interval if check.share else formatting.number
    alt = f"{name}: " + "; ".join(f"{row.label} {write(row.metric)}" for row in rows)
    st.plotly_chart(figure, key=f"check {check.field}", alt=alt, config=_NO_BAR)


def _curves(found: Curves) -> None:
    methods = [_map_curves(translate(METHODS[name].title), curves) for name, curves in found.methods.items()]
    figure = kept_figures.made(deletion_insertion.curves, methods, _map_curves(t("random map"), found.random))
    alt = t("Probability of the predicted class while the image is blurred and restored, by method")
    st.plotly_chart(figure, key="curves", alt=alt, config=_NO_BAR)


def _map_curves(label: str, curves: MeanCurves) -> MapCurves:
    return MapCurves(label, curves.deletion, curves.insertion)


def _method(found: Faithfulness) -> None:
    checks = found.methods[found.worst]
    st.caption(
        t(
            "Layer {layer}, predicted class. **Deletion**: area under the probability while the brightest cells are "
            "blurred, low is good. **Insertion**: while they are restored, high is good (both, and noise, on {n} test "
            "images). **Insertion over random**: the difference to a random map; the interval should be above 0. "
            "**Weight randomisation**: rank correlation with the map of a model with random weights, 0 is good (n = "
            "{randomised}). **Noise stability**: rank correlation after noise of 1% of the range, 1 is good. "
            "**Lesions**: where known and the prediction is correct (n = {lesions}); the peak may miss them by "
            "3% of the longer side. The threshold of the intersection over union is chosen on images outside the test. "
            "**Lungs**: n = {lungs}, from {lungs_from}. 95% intervals in brackets: bootstrap over patients.",
            layer=found.layer,
            n=checks.deletion.n,
            randomised=checks.random_weights.n if checks.random_weights else 0,
            lesions=checks.lesions.pointing.n if checks.lesions else 0,
            lungs=checks.in_lungs.n if checks.in_lungs else 0,
            lungs_from=translate(found.lungs_from),
        )
    )


def _table(found: Faithfulness, share: bool) -> Sequence[metric_table.Row]:
    """Return the checks that are shares of the image, or the others, with the areas of random maps."""
    checks = [check for check in _CHECKS if check.share == share]
    rows: list[metric_table.Row] = [
        {t("method"): translate(METHODS[name].title)} | {translate(check.name): check.of(each) for check in checks}
        for name, each in found.methods.items()
    ]
    if share:
        of_lesions = [check for check in checks if check.lesions]
        baselines = {translate(check.name): _baselines(found, check) for check in of_lesions}
        names = [translate(name) for name in (_RANDOM_POINT, _LUNG_CENTRES)] if found.random_point else []
        return rows + [
            {t("method"): name} | {column: values[name] for column, values in baselines.items()} for name in names
        ]
    random = {translate(check.name): getattr(found.random, check.field, None) for check in checks}
    return [*rows, {t("method"): t("random map")} | random]
