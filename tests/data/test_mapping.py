"""Findings of sources to classes: defaults, choices and what is left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrcore.data import classes, file_tree, mapping
from cxrcore.data.mapping import Choices
from cxrcore.data.readers import base, detect
from cxrcore.errors import UserError


def _reading(findings, source="set", several=False, uncertain=None):
    uncertain = uncertain or [""] * len(findings)
    records = [
        {"path": f"{source}/{k}.png", "finding": finding, "source": source, "patient": f"p{k // 2}", "uncertain": doubt}
        for k, (finding, doubt) in enumerate(zip(findings, uncertain, strict=True))
    ]
    return base.Reading("CSV", source, base.rows(records), several=several)


def _folders(save, tmp_path, names, per_folder=2, below=""):
    for number, name in enumerate(names):
        for k in range(per_folder):
            save(f"set/{name}{below}/{k}.png", np.full((8, 8), 20 * number + k, np.uint8))
    return detect.read(file_tree.open_file_tree(tmp_path / "set"))


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (["TB", "NORMAL"], ["NORMAL", "TB"]),
        (["Covid-19", "No_findings", "Pneumonia"], ["Covid-19", "No findings", "Pneumonia"]),
        (
            ["covid", "lung_opacity", "normal", "Viral Pneumonia"],
            ["COVID", "Lung opacity", "NORMAL", "Viral Pneumonia"],
        ),
        (["train/a_b", "train/A-B", "test/AB", "test/c"], ["AB", "C"]),
    ],
)
def test_class_folders_keep_their_names(save, tmp_path, folders, expected):
    found = mapping.apply(_folders(save, tmp_path, folders))
    assert found.classes == expected and not found.left_out
    assert sum(found.counts().values()) == 2 * len(folders)


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        # The name of the set, or of a folder above, is no class.
        (
            ["Covid-19/a/Covid-19", "Covid-19/a/Normal", "Covid-19/a/Sarcoid"],
            {"Covid-19": 2, "NORMAL": 2, "Sarcoid": 2},
        ),
        (["Pneumonia/NORMAL", "Pneumonia/BACTERIA", "Pneumonia/VIRUS"], {"NORMAL": 2, "BACTERIA": 2, "VIRUS": 2}),
        (["COVID-19/mild", "COVID-19/severe"], {"Mild": 2, "Severe": 2}),
        # Folders of patients and studies are no classes.
        (["TB/patient1/study1", "TB/patient1/study2", "Silicosis/patient2/study1"], {"TB": 4, "Silicosis": 2}),
        (["Tuberculosis/p1", "Tuberculosis/p2", "Sarcoidosis/p3"], {"Tuberculosis": 4, "Sarcoidosis": 2}),
        (["train/TB/p1", "train/Silicosis/p2", "test/TB/p3"], {"TB": 4, "Silicosis": 2}),
        (["TB/1", "TB/2", "Silicosis/3"], {"TB": 4, "Silicosis": 2}),
        (["0", "1"], {"0": 2, "1": 2}),
        # Of several hospitals, the classes are below.
        (["A/TB", "A/Silicosis", "B/TB", "B/Silicosis"], {"TB": 4, "Silicosis": 4}),
        (["A/Covid-19", "A/No_findings", "B/COVID19", "B/normal"], {"Covid-19": 4, "NORMAL": 4}),
        (["HIV", "HIV-"], {"HIV": 2, "HIV-": 2}),
    ],
)
def test_folders_of_classes_are_found_among_others(save, tmp_path, folders, expected):
    save("set/logo.png", np.full((8, 8), 255, np.uint8))  # in no folder
    found = mapping.apply(_folders(save, tmp_path, folders))
    assert found.counts() == expected
    assert [finding.name for finding in found.left_out] == [classes.NO_FOLDER]


def test_folders_below_the_class_are_patients(save, tmp_path):
    (reading,) = _folders(save, tmp_path, ["TB/patient000_TB", "TB/patient001_TB", "Silicosis/7", "Silicosis/AP"])
    patients = reading.rows.groupby("patient").size().to_dict()
    assert patients == {"": 2, "set:7": 2, "set:patient000_TB": 2, "set:patient001_TB": 2}


def test_long_findings_of_one_beginning_are_two_classes():
    found = mapping.apply([_reading(["x" * 59 + "aaa", "x" * 59 + "bbb"])])
    assert list(found.counts()) == ["X" + "x" * 58 + "…", "X" + "x" * 55 + " (2)"]


def test_many_findings_of_one_beginning_are_counted_in_turn():
    names = [f"{'x' * 70} {k}" for k in range(1200)]
    counts = mapping.apply([_reading(names)]).counts()
    assert set(counts.values()) == {1} and "X" + "x" * 52 + " (1200)" in counts


def test_columns_of_anything_else_are_no_findings(monkeypatch):
    monkeypatch.setattr(mapping, "MOST_FINDINGS", 3)
    mapping.apply([_reading(["a", "b", "c", "a"])])
    with pytest.raises(UserError, match=r"There are 4 different findings, for example a, b, c\. At most 3 can be read"):
        mapping.apply([_reading(["a", "b"]), _reading(["c", "d"], "other")])


def test_two_choices_for_one_finding_are_refused():
    with pytest.raises(UserError, match=r"finding 'A': expected one choice\. Received: 2"):
        mapping.apply([_reading(["a", "b"])], Choices(keep=["a"], leave_out=["A"]))


def test_findings_that_differ_only_by_case_have_choices_of_their_own():
    reading = _reading(["Normal", "NORMAL", "TB"])
    assert mapping.apply([reading]).counts() == {"NORMAL": 2, "TB": 1}
    shown = {f"set/{finding.name}": finding.label for finding in mapping.apply([reading]).findings}
    assert mapping.apply([reading], Choices(shown)).counts() == {"NORMAL": 2, "TB": 1}
    apart = mapping.apply([reading], Choices(shown | {"set/Normal": "Clear"}))
    assert apart.table["label"].tolist() == ["Clear", "NORMAL", "TB"]


def test_classes_that_differ_only_by_case_are_one():
    assert mapping.apply([_reading(["a", "b", "c"])], Choices({"a": "normal", "b": "NORMAL"})).counts() == {
        "normal": 2,
        "C": 1,
    }


def test_classes_of_another_set_are_matched_by_usual_names():
    names = ["TB", "NORMAL", "COVID"]
    matched = {name: classes.matching(name, names) for name in ("TB", "tb", "No findings", "covid-19", "Flu")}
    assert matched == {"TB": "TB", "tb": "TB", "No findings": "NORMAL", "covid-19": "COVID", "Flu": ""}


def test_folders_of_patients_below_the_classes_are_no_classes(save, tmp_path):
    for patient in ("p1", "p2"):
        _folders(save, tmp_path, ["TB", "NORMAL"], 1, below=f"/{patient}/series")
    found = mapping.apply(detect.read(file_tree.open_file_tree(tmp_path / "set")))
    assert found.counts() == {"TB": 2, "NORMAL": 2}


def test_usual_names_are_one_class_where_sources_are_merged():
    readings = [_reading(["No_findings", "Covid-19", "TB"], "a"), _reading(["Normal", "covid"], "b")]
    found = mapping.apply(readings)
    assert found.counts() == {"NORMAL": 2, "COVID": 2, "TB": 1}
    assert [(finding.source, finding.name, finding.label) for finding in found.findings] == [
        ("a", "Covid-19", "COVID"),
        ("a", "No_findings", "NORMAL"),
        ("a", "TB", "TB"),
        ("b", "Normal", "NORMAL"),
        ("b", "covid", "COVID"),
    ]


def test_choices_have_precedence_and_those_of_one_source_most():
    readings = [_reading(["flu", "TB"], "a"), _reading(["Flu", "none"], "b")]
    found = mapping.apply(readings, Choices({"FLU": "Infection", "b/flu": "B flu"}, leave_out=["none"]))
    assert found.counts() == {"Infection": 1, "B flu": 1, "TB": 1}
    assert [(finding.source, finding.name) for finding in found.left_out] == [("b", "none")]
    assert found.table["left_out"].tolist() == ["", "", "", "finding"]


def test_only_kept_findings_are_classes():
    found = mapping.apply([_reading(["a", "b", "c", "c"])], Choices({"a": "First"}, keep=["c"]))
    assert found.counts() == {"First": 1, "C": 2}
    assert [(finding.name, finding.images, finding.patients) for finding in found.findings] == [
        ("c", 2, 1),
        ("a", 1, 1),
        ("b", 1, 1),
    ]


def test_images_with_several_findings_need_exactly_one_class():
    reading = _reading(["Mass|Edema", "Mass", "Edema|Effusion", "No Finding", ""], several=True)
    found = mapping.apply([reading], Choices(keep=["Mass", "Effusion", "No Finding"]))
    assert found.table["label"].tolist() == ["Mass", "Mass", "Effusion", "No Finding", ""]
    both = mapping.apply([reading], Choices({"Mass": "Dense", "Edema": "Wet", "Effusion": "Wet"}))
    assert both.table["label"].tolist() == ["", "Dense", "Wet", "", ""]
    assert both.table["left_out"].tolist() == ["several", "", "", "finding", "finding"]
    with pytest.raises(UserError, match=r"Findings: Edema \(2\), Mass \(2\), Effusion \(1\), No Finding \(1\)"):
        mapping.apply([reading]).check()


@pytest.mark.parametrize(
    ("uncertain", "labels"),
    [
        ("left out", ["", "No Finding", ""]),
        ("positive", ["Edema", "No Finding", ""]),
        ("negative", ["", "No Finding", "Mass"]),
    ],
)
def test_uncertain_findings_count_as_chosen(uncertain, labels):
    reading = _reading(["", "No Finding", "Mass"], several=True, uncertain=["Edema", "Fracture", "Edema"])
    found = mapping.apply([reading], Choices(keep=["Edema", "Mass", "No Finding"], uncertain=uncertain))
    assert found.table["label"].tolist() == labels
    assert {finding.name: finding.uncertain for finding in found.findings}["Edema"] == 2


def test_more_than_fifty_classes_are_refused():
    mapping.apply([_reading([f"c{k}" for k in range(50)])]).check()
    with pytest.raises(UserError, match=r"at most 50 classes\. Received: 51"):
        mapping.apply([_reading([f"c{k}" for k in range(51)])]).check()


_INVISIBLE = [
    "\u200b",
    "\u00ad",
    "\ufeff",
    "\u2060",
    "NORMAL\u200b",
    "NOR\u200dMAL",
    "\u200d",
    "NORMAL\u3164",
    "\u2800",
    "é\u200d\u200dé",
    "é\u200d",
    "NORMAL\ufe0f",
    "NORMAL\ufe00",
    "NORMAL\u180b",
    "NORMAL\u17b4",
    "A\U000e0100",
]


@pytest.mark.parametrize("name", ["", "x" * 61, "a\x00b", "a\u202eb", "a\nb\x1b", *_INVISIBLE])
def test_names_that_are_no_class_names_are_refused(name):
    with pytest.raises(UserError, match="class name: expected 1 to 60 characters"):
        classes.checked(name)


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "=1+1",
        "a/b",
        "رئة" * 20,
        "🫁",
        "{name}",
        "a|b",
        "می\u200cخواهم",
        "👨\u200d⚕",
        "❤\ufe0f",
    ],
)
def test_any_printable_name_is_a_class_name(name):
    assert classes.checked(f" {name}  ") == name
    assert mapping.apply([_reading(["x", "y"])], Choices({"x": name})).classes == classes.ordered([name, "Y"])


@settings(deadline=None)
@given(st.lists(st.text(max_size=70), min_size=1, max_size=8))
def test_prettified_findings_are_class_names(findings):
    found = mapping.apply([_reading(findings)])
    for label in found.counts():
        assert classes.checked(label) == label
    assert len(found.table) == len(findings)


def test_positive_class_is_the_one_that_is_not_normal():
    assert classes.positive(["No finding", "TB"]) == classes.positive(["TB", "healthy"]) == "TB"
    assert classes.positive(["A", "B"]) == "A" and classes.positive(["A", "B"], "B") == "B"
    assert classes.positive(["A", "B", "NORMAL"]) == ""


@pytest.mark.parametrize(
    ("negative", "positive"),
    [
        ("COVID-19 negative", "COVID-19 positive"),
        ("0", "1"),
        ("No TB", "TB"),
        ("no_pneumonia", "pneumonia"),
        ("Benign", "Malignant"),
        ("normal", "Not normal"),
        ("non-COVID", "COVID"),
    ],
)
def test_negative_names_are_not_the_positive_class(negative, positive):
    assert classes.positive([negative, positive]) == classes.positive([positive, negative]) == positive
