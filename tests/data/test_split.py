import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from cxrcore.data import split
from cxrcore.errors import UserError


def _table(patients_by_class, images=2):
    rows = [
        {"label": label, "patient": f"{label}{patient}"}
        for label, count in patients_by_class.items()
        for patient in range(count)
        for _ in range(images)
    ]
    return pd.DataFrame(rows)


@st.composite
def tables(draw):
    rows = []
    for label in "ABC"[: draw(st.integers(2, 3))]:
        for patient in range(draw(st.integers(3, 25))):
            rows += [{"label": label, "patient": f"{label}{patient}"}] * draw(st.integers(1, 4))
    return pd.DataFrame(rows).sample(frac=1, random_state=draw(st.integers(0, 99))).reset_index(drop=True)


@settings(max_examples=60, deadline=None)
@given(tables(), st.integers(0, 2**31))
def test_no_patient_is_in_two_parts_and_every_row_is_in_one(table, seed):
    try:
        part = split.by_patient(table, 0.2, 0.1, seed)
    except UserError:
        assume(False)
    assert (
        table.groupby("patient")["label"].size().index.size
        == table.groupby("patient")[["label"]].apply(lambda rows: part[rows.index].nunique() == 1).sum()
    )
    assert set(part) == set(split.PARTS)
    assert set(table["label"][part == split.TRAIN]) == set(table["label"])
    assert part.equals(split.by_patient(table, 0.2, 0.1, seed))


def test_large_sets_get_the_requested_shares_in_every_class():
    table = _table({"A": 100, "B": 50, "C": 50})
    part = split.by_patient(table, 0.2, 0.1, seed=3)
    tested = table["label"][part == split.TEST].value_counts()
    assert tested.to_dict() == {"A": 40, "B": 20, "C": 20}
    validated = table["label"][part == split.VALIDATION].value_counts()
    assert validated.to_dict() == {"A": 16, "B": 8, "C": 8}


def test_a_rare_class_does_not_change_the_shares_of_the_others():
    table = _table({"A": 250, "B": 240, "C": 3})
    for seed in range(4):
        part = split.by_patient(table, 0.2, 0.1, seed)
        assert (part == split.TEST).mean() == pytest.approx(0.2, abs=0.02)
        assert (part == split.VALIDATION).mean() == pytest.approx(0.08, abs=0.02)
        for name in split.PARTS:
            assert set(table["label"][part == name]) == {"A", "B", "C"}


def test_another_seed_gives_another_split():
    table = _table({"A": 30, "B": 30})
    assert not split.by_patient(table, 0.2, 0.1, 0).equals(split.by_patient(table, 0.2, 0.1, 1))


def test_tutorial_split_matches_train_test_split():
    table = _table({"A": 175, "B": 100, "C": 100}, images=1)
    part = split.tutorial(table, 0.2, 0.1, 40)
    train, test = train_test_split(np.arange(375), test_size=0.2, random_state=40)
    assert sorted(np.flatnonzero(part == split.TEST)) == sorted(test)
    assert set(np.flatnonzero(part == split.VALIDATION)) == set(train[270:])  # the last tenth, unshuffled
    assert (part == split.TRAIN).sum() == 270


@pytest.mark.parametrize("chosen", [split.by_patient, split.tutorial])
def test_one_class_is_refused(chosen):
    with pytest.raises(UserError, match="at least two classes"):
        chosen(_table({"A": 20}), 0.2, 0.1, 0)


def test_class_with_one_patient_is_refused_by_name():
    with pytest.raises(UserError, match=r"Class 'B' has too few patients \(1\); .* at least 3"):
        split.by_patient(_table({"A": 20, "B": 1}, images=9), 0.2, 0.1, 0)


def test_random_split_of_too_few_images_is_refused():
    with pytest.raises(UserError, match="too small"):
        split.tutorial(_table({"A": 1, "B": 1}, images=1), 0.5, 0.1, 0)


def test_folds_hold_whole_patients_of_every_class():
    """Three classes of 10 patients with 1 to 3 images: 5 folds of 6 patients, two of each class."""
    rows = [(label, f"{label}{k}") for label in "ABC" for k in range(10) for _ in range(1 + k % 3)]
    labels, patients = zip(*rows, strict=True)
    fold = split.folds(labels, patients, 5, seed=3)
    table = pd.DataFrame({"label": labels, "patient": patients, "fold": fold})
    assert (table.groupby("patient")["fold"].nunique() == 1).all()
    assert (table.groupby(["fold", "label"])["patient"].nunique() == 2).all() and set(fold) == {0, 1, 2, 3, 4}
    assert (fold == split.folds(labels, patients, 5, seed=3)).all() and (
        fold != split.folds(labels, patients, 5, 4)
    ).any()


def test_ten_thousand_patients_are_split_near_the_shares():
    labels = np.array(["A", "B", "C"])[np.arange(10_000) % 3]
    table = pd.DataFrame({"label": labels, "patient": [str(k) for k in range(10_000)]})
    part = split.by_patient(table, 0.2, 0.1, 0)
    shares = pd.crosstab(labels, part, normalize="index")
    assert np.allclose(shares["test"], 0.2, atol=0.001) and np.allclose(shares["validation"], 0.08, atol=0.001)


def test_class_whose_patients_mostly_have_another_class_is_in_every_part():
    """Class B has 3 patients, two of them with more images of A: B was absent from the test part for 35 of 50 seeds."""
    rows = [("A", f"a{k}") for k in range(20) for _ in range(2)]
    rows += [("B", "b0"), ("B", "b0"), *[("A", "b1")] * 3, ("B", "b1"), *[("A", "b2")] * 3, ("B", "b2")]
    table = pd.DataFrame(rows, columns=["label", "patient"])
    for seed in range(50):
        part = split.by_patient(table, seed=seed)
        assert all(set(table["label"][part == name]) == {"A", "B"} for name in split.PARTS), seed
        assert (table.groupby("patient").apply(lambda own, part=part: part[own.index].nunique()) == 1).all()


@st.composite
def tables_of_patients_with_several_classes(draw):
    rows = []
    for patient in range(draw(st.integers(3, 20))):
        labels = draw(st.lists(st.sampled_from("ABC"), min_size=1, max_size=4))
        rows += [{"label": label, "patient": str(patient)} for label in labels]
    return pd.DataFrame(rows)


@settings(max_examples=150, deadline=None)
@given(tables_of_patients_with_several_classes(), st.integers(0, 2**31))
def test_every_class_of_three_patients_is_trained_on_and_tested_on(table, seed):
    patients = table.groupby("label")["patient"].nunique()
    assume(len(patients) > 1 and patients.min() >= 3)
    part = split.by_patient(table, seed=seed)
    assert (part.groupby(table["patient"]).nunique() == 1).all()
    for name in (split.TRAIN, split.TEST):
        assert set(table["label"][part == name]) == set(table["label"])
    if patients.min() >= 9:  # enough patients for each class to have its own in every part
        assert set(table["label"][part == split.VALIDATION]) == set(table["label"])


def test_class_is_absent_from_validation_only_if_no_split_has_it():
    """A, B and C have 3 patients each. In A and B, patients 3 and 4 share a part, so C is in two parts only."""
    having = {"A": (1, 2, 3), "B": (1, 2, 4), "C": (3, 4, 5)}
    table = pd.DataFrame([(label, str(k)) for label, patients in having.items() for k in patients])
    table.columns = ["label", "patient"]
    part = split.by_patient(table, seed=0)
    absent = {name: {"A", "B", "C"} - set(table["label"][part == name]) for name in split.PARTS}
    assert not absent[split.TRAIN] and not absent[split.TEST] and len(absent[split.VALIDATION]) == 1


def test_given_split_validates_on_every_class_of_two_patients():
    rows = [("A", f"a{k}", "train") for k in range(20)]
    rows += [("B", "b1", "train"), *[("A", "b1", "train")] * 2, ("B", "b2", "train"), *[("A", "b2", "train")] * 2]
    rows += [("A", "t1", "test"), ("B", "t2", "test")]
    table = pd.DataFrame(rows, columns=["label", "patient", "given_split"])
    for seed in range(20):
        part = split.given(table, seed=seed)
        assert all(set(table["label"][part == name]) == {"A", "B"} for name in split.PARTS)


def test_fold_is_tested_and_a_share_of_the_others_validates():
    """Of 12 patients of each class with 2 images, 3 are tested; 2 are nearest to a quarter of the other 18 images."""
    table = _table({"A": 12, "B": 12})
    fold = split.folds(list(table["label"]), list(table["patient"]), 4, seed=3)
    for number in range(4):
        part = split.fold(table, number, 4, 0.25, seed=3)
        assert ((part == split.TEST) == (fold == number)).all()
        patients = table.assign(part=part).groupby(["label", "part"])["patient"].nunique()
        assert patients.unstack().to_dict("index") == {key: {"test": 3, "train": 7, "validation": 2} for key in "AB"}
    assert not part.equals(split.fold(table, 3, 4, 0.25, seed=4))


def test_folds_of_images_divide_patients():
    """One patient of each class with 12 images: of 4 folds 3 images are tested, and 3 of the other 9 validate."""
    table = _table({"A": 1, "B": 1}, images=12)
    part = split.fold(table, 0, 4, 1 / 3, seed=0, images=True)
    counts = table.assign(part=part).groupby(["label", "part"]).size().unstack()
    assert counts.to_dict("index") == {key: {"test": 3, "train": 6, "validation": 3} for key in "AB"}
    with pytest.raises(UserError, match="too few patients for 4 folds"):
        split.fold(table, 0, 4, 1 / 3, seed=0)


def test_fold_without_a_class_is_refused_by_name():
    """The two patients of B are in two of three folds."""
    table = _table({"A": 12, "B": 2})
    parts, refused = [], []
    for number in range(3):
        try:
            parts.append(split.fold(table, number, 3, 0.2, seed=0))
        except UserError as error:
            refused.append(str(error))
    assert len(parts) == 2 and all(set(table["label"][part == split.TEST]) == {"A", "B"} for part in parts)
    assert len(refused) == 1 and refused[0].startswith("Class 'B' has too few patients for 3 folds")


def test_given_parts_are_kept_and_images_without_one_are_trained_on():
    table = pd.DataFrame({"label": [*"AAAA", *"BBBB"], "patient": [*"abcdefgh"]})
    table = table.assign(given_split=["train", "", "validation", "test"] * 2)
    assert split.given(table).tolist() == ["train", "train", "validation", "test"] * 2
    with pytest.raises(UserError, match="gives no test images"):
        split.given(table.replace({"given_split": {"test": ""}}))


def test_given_split_validates_on_the_share_of_the_training_patients():
    """Of 20 training patients of each class a tenth is 2, a quarter is 5."""
    table = _table({"A": 25, "B": 25}, images=1).assign(given_split=(["train"] * 20 + ["test"] * 5) * 2)
    usual, quarter = split.given(table), split.given(table, validation=0.25)
    for part, count in ((usual, 2), (quarter, 5)):
        assert table["label"][part == split.VALIDATION].value_counts().to_dict() == {"A": count, "B": count}
        assert ((part == split.TEST) == (table["given_split"] == "test")).all()
    assert usual.equals(split.given(table, seed=0)) and not usual.equals(split.given(table, seed=1))


def test_what_is_absent_is_named():
    table = pd.DataFrame({"label": [*"AAAAB"], "patient": [*"abcde"]}).assign(given_split=["train"] * 3 + ["test"] * 2)
    with pytest.raises(UserError, match="class 'B' has no image to train on"):
        split.given(table)
    with pytest.raises(UserError, match="no image is left in the validation set"):
        split.tutorial(_table({"A": 20, "B": 20}), 0.2, 0.0, 0)
