"""Every text of a page is in the language that the URL names."""

import re

import pytest

from cxrcore import i18n
from cxrcore.config import run_config
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.data.phantom.lesions import DISEASES
from cxrcore.progress import ignore_stages
from cxrcore.sweeps import plan, search, sweep

MARK = "⟦"
# Data, names and signs, which are the same in every language.
DATA = re.compile(
    r"[\W\d_]*|phantom|elsewhere-phantom|\*\*phantom\*\*\s*|.* · CXRTiny · phantom · .*|p_.*|[\w.]+\.png"
    r"|Adam(W)?|SGD, 0\.9|\*\*\d{8}-[\w-]+\*\*|F1|ROC"
    r"|[\w-]+\.(png|csv)( · .*)?|English|Português|Language · Idioma|viridis|inferno|magma|jet"
    r"|gap|tutorial|probe|hidden"
    rf"|{'|'.join(DISEASES[3:])}"
    r"|[\w-]+CAM(\+\+)?|block\w+(\+block\w+)*|auto|stem\w*|bundled|ImageNet|Dropout|Backbone|Original|\d+ MB"
)


class Marked:
    """A catalogue that marks every text, so that a text that was not looked up has no mark."""

    def gettext(self, text):
        return f"{MARK}{text}⟧"

    def ngettext(self, one, many, n):
        return f"{MARK}{one if n == 1 else many}⟧"


def _texts(test):
    for kind in ("title", "header", "subheader", "markdown", "caption", "info", "warning", "error", "success"):
        yield from (element.value for element in test.get(kind))
    for kind in ("selectbox", "segmented_control", "slider", "toggle", "button", "text_input", "number_input",
                 "text_area", "expander", "tab", "metric", "pills", "checkbox", "multiselect"):  # fmt: skip
        for element in test.get(kind):
            yield element.label
            yield from getattr(element, "options", [])
    for frame in test.dataframe:
        yield from map(str, frame.value.columns)


PAGES = {
    "home": [{}],
    "data": [{"view": name} for name in ("Overview", "Images", "Audit", "Add a dataset")],
    "train": [{}, {"run": "none"}],  # with a run in view, and with the form of a new one
    "compare": [{"show": name} for name in ("Runs", "Sweeps")],
    "results": [
        {"tab": name}
        for name in ("Images", "Metrics", "Probabilities", "Errors", "Robustness", "Training curves", "Export")
    ],
    "explain": [
        {"show": name} for name in ("Test images", "Upload", "Comparison", "Mean heatmap by class", "Faithfulness")
    ],
}


@pytest.mark.parametrize("page", PAGES)
def test_every_text_of_a_page_is_in_the_catalogue(page, open_page, audited, monkeypatch):
    phantoms.create("elsewhere-phantom", patients=3, images=1)
    if page == "compare":
        base = run_config.make(dataset="phantom", size=64, head="gap", epochs=2).plain()
        values = {"base": base, "settings": {"head": {"choices": ("gap", "probe")}}, "trials": 2}
        search.search(sweep.create("phantom", plan.make(values)), ignore_stages)
    for query in PAGES[page]:
        with monkeypatch.context() as patch:
            patch.setattr(i18n, "_catalogue", lambda code: Marked())
            test = open_page(page, lang="pt", **({"run": audited.name, "dataset": "phantom"} | query))
            bare = {text for text in _texts(test) if MARK not in text and not DATA.fullmatch(text)}
            assert bare == set(), query


@pytest.mark.parametrize("page", PAGES)
def test_page_in_portuguese_has_no_english_text(page, open_page, audited):
    for query in PAGES[page]:
        test = open_page(page, lang="pt", **({"run": audited.name, "dataset": "phantom"} | query))
        i18n.use("pt")
        changed = {text for text in _texts(test) if i18n.t(text) != text}
        assert changed == set(), query
