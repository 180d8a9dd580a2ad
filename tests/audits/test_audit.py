"""The dataset audit: no issues in phantoms, and every issue that was added to them."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxrcore.audits.dataset import audit, confounders, outliers, patients
from cxrcore.data import dataset, editing, exclusions, image_statistics
from cxrcore.data.importing import import_folders
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.errors import UserError


def kinds(report):
    return {(issue.kind, issue.what) for issue in report.issues}


@pytest.fixture
def folder(phantom, tmp_path):
    """The phantoms as a folder of classes, for copies to be added to."""
    for row in phantom.table.itertuples():
        place = tmp_path / "set" / row.label
        place.mkdir(parents=True, exist_ok=True)
        Image.open(row.path).save(place / row.path.rsplit("/", 1)[1])
    return tmp_path / "set"


def save_changed(folder, name, change, to=None):
    """Save a changed copy of the first image of a class and return its path."""
    first = sorted((folder / name).glob("*.png"))[0]
    image, options = change(Image.open(first))
    path = folder / (to or name) / f"changed{options.pop('suffix', '.png')}"
    image.save(path, **options)
    return path


def test_phantoms_have_no_issues(phantom):
    report = audit.run(phantom)
    assert report.issues == [] and report.small_classes == {}
    assert report.n == 60 and set(report.cramers_v.values()) == {None}
    assert report == audit.load(phantom)


def test_confounding_marker_is_found_by_border_statistics():
    data = phantoms.create("marked", patients=25, images=2, seed=5, planted_class="NORMAL")
    report = audit.run(data)
    assert kinds(report) == {("confounder", "borders")}
    probe = report.statistics_probe
    assert probe.border.low > probe.chance + 0.05 and probe.border.n == 150


COPIES = {
    "half the size": lambda image: (image.resize((128, 128), Image.Resampling.BILINEAR), {}),
    "JPEG 50": lambda image: (image, {"suffix": ".jpg", "quality": 50}),
    "cropped at all sides": lambda image: (image.crop((7, 7, 249, 249)), {}),
    "cropped at one side": lambda image: (image.crop((13, 0, 256, 256)), {}),
}


@pytest.mark.parametrize("name", COPIES)
def test_near_duplicates_are_found(folder, name):
    copy = save_changed(folder, "NORMAL", COPIES[name])
    report = audit.run(import_folders([folder], "copies"))
    (issue,) = [issue for issue in report.issues if "duplicate" in issue.kind]
    assert issue.kind == "near-duplicate" and issue.what == "inside a class"
    assert len(issue.images) == 2 and str(copy) in issue.images and len(issue.exclude) == 1


def test_exact_duplicates_in_other_format_across_classes(folder):
    save_changed(folder, "NORMAL", lambda image: (image, {"suffix": ".tif"}), to="COVID")
    report = audit.run(import_folders([folder], "copies"))
    assert ("exact-duplicate", "across classes") in kinds(report)
    (issue,) = [issue for issue in report.issues if issue.kind == "exact-duplicate"]
    assert len(issue.exclude) == 2  # the true class is unknown


def test_files_left_out_as_repeated_are_reported(folder):
    path = sorted((folder / "NORMAL").glob("*.png"))[0]
    path.with_name("again.png").write_bytes(path.read_bytes())
    assert ("exact-duplicate", "left out already") in kinds(audit.run(import_folders([folder], "copies")))


def test_excluding_an_issue_makes_a_version_without_it(folder):
    save_changed(folder, "NORMAL", COPIES["JPEG 50"])
    data = import_folders([folder], "copies")
    changed = audit.exclude(data, audit.run(data), "near-duplicate")
    assert changed.version == 2 and len(changed.usable) == 60
    assert not any(issue.kind == "near-duplicate" for issue in audit.run(changed).issues)
    assert str(exclusions.reason(changed.left_out["left_out_reason"][0])) == "Near duplicates: within a class"
    with pytest.raises(UserError, match="no issue 'near-duplicate:across classes'"):
        audit.exclude(data, audit.run(data), "near-duplicate:across classes")
    with pytest.raises(UserError, match="no issue 'near-duplicate'"):
        audit.exclude(changed, audit.load(changed), "near-duplicate")
    with pytest.raises(UserError, match=r"expected one of exact-duplicate, .* Received: 'ghosts'"):
        audit.exclude(changed, audit.load(changed), "ghosts")


CHANGES = {
    "inverted": lambda pixels: 255 - pixels,
    "turned": lambda pixels: np.rot90(pixels),
    "nearly blank": lambda pixels: np.full_like(pixels, 90) + pixels % 2,
    "in colour": lambda pixels: np.stack([pixels, pixels // 2, 255 - pixels], axis=-1),
    "not frontal": lambda pixels: np.kron(np.random.default_rng(1).integers(0, 256, (8, 8)), np.ones((32, 32))).astype(
        np.uint8
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_outlier_checks(what, phantom):
    pixels = np.asarray(Image.open(phantom.usable["path"][0]))
    changed = Image.fromarray(np.ascontiguousarray(CHANGES[what](pixels))).convert("RGB")
    measured = pd.DataFrame(
        [image_statistics.measure(changed), image_statistics.measure(Image.fromarray(pixels).convert("RGB"))]
    )
    found = outliers.flags(measured, pd.Series(["", "yes"]))
    flagged = {name: applies.tolist() for name, applies in found.items() if applies.any()}
    assert flagged == {what: [True, False], "burned-in annotation": [False, True]}
    assert outliers.shape_issue(changed) == what and outliers.shape_issue(Image.fromarray(pixels).convert("RGB")) == ""


def test_letters_are_counted_per_row():
    import cv2

    from cxrcore.data.text_detection import longest_row

    grey = np.full((512, 512), 40, np.uint8)
    cv2.putText(grey, "R", (20, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, 2)
    assert longest_row(grey) == 1
    cv2.putText(grey, "HOSPITAL 7", (300, 500), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1)
    assert longest_row(grey) >= 4
    in_the_middle = np.full((512, 512), 40, np.uint8)
    cv2.putText(in_the_middle, "HOSPITAL", (180, 256), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1)
    assert longest_row(in_the_middle) == 0 and longest_row(np.zeros((1, 3), np.uint8)) == 0


def _table(values, labels, patients_=None):
    patient = patients_ or [str(k) for k in range(len(labels))]
    table = pd.DataFrame({"label": labels, "patient": patient, "row": range(len(labels))})
    return pd.DataFrame({"source": values}), table


def test_cramers_v_worked_by_hand():
    """2 x 2 of 30, 10, 10, 30: chi2 = 20, V = sqrt(20 / 80) = 0.5. One value: not defined."""
    values, table = _table(["a"] * 40 + ["b"] * 40, ["X"] * 30 + ["Y"] * 10 + ["X"] * 10 + ["Y"] * 30)
    assert confounders.cramers_v(values, table["label"]) == {"source": pytest.approx(0.5)}
    assert confounders.cramers_v(values[:40], table["label"][:40]) == {"source": None}


def test_class_of_one_source_is_a_confounder():
    values, table = _table(["a"] * 20 + ["b"] * 40, ["COVID"] * 20 + ["NORMAL"] * 20 + ["OTHER INFECTION"] * 20)
    (issue,) = confounders.find(values, table)
    assert str(issue.sentence) == (
        "Every COVID image comes from one source (a), and no other image does: a model can learn the hospital instead "
        "of the disease (V = 1.00)."
    )


def test_property_known_for_one_class_only_is_no_confounder():
    values, table = _table(["M", "F"] * 10 + ["unknown"] * 20, ["COVID"] * 20 + ["NORMAL"] * 20)
    values = values.rename(columns={"source": "sex"})
    assert confounders.cramers_v(values, table["label"]) == {"sex": None} and confounders.find(values, table) == []
    assert confounders.tables(values, table["label"])["sex"]["unknown"] == {"COVID": 0, "NORMAL": 20}


def test_leak_between_validation_and_test_can_be_resolved():
    table = pd.DataFrame(
        {"patient": ["a", "a", "a"], "given_split": ["validation", "test", "validation"], "row": range(3), "label": "X"}
    )
    assert patients.leaks(table)[0].exclude == [0, 2]


def test_many_images_of_few_patients_are_no_confounder():
    """Two patients of a class in each source, 30 images each: V is high, and four patients prove nothing."""
    values, table = _table(["a"] * 60 + ["b"] * 60, ["X"] * 60 + ["Y"] * 60, [str(k // 30) for k in range(120)])
    assert confounders.cramers_v(values, table["label"])["source"] == 1 and confounders.find(values, table) == []


def test_patients_in_two_given_parts_are_a_leak():
    table = pd.DataFrame(
        {
            "patient": ["a", "a", "b", "c"],
            "given_split": ["train", "test", "train", "test"],
            "row": range(4),
            "label": "X",
        }
    )
    (issue,) = patients.leaks(table)
    assert str(issue.sentence).startswith("1 of 3 patients have images in two parts") and list(issue.rows) == [0, 1]
    assert list(issue.exclude) == [0] and patients.leaks(table.assign(given_split="")) == []
    assert patients.small_classes(table) == {"X": 3}


def test_audit_counts_missing_files(folder):
    data = import_folders([folder], "some")
    path = Path(data.usable["path"][0])
    content = path.read_bytes()
    path.unlink()
    (data.folder / dataset.MEASURES).unlink()
    report = audit.run(data)
    assert report.missing_files == 1 and report.version == 1
    path.write_bytes(content)
    assert (
        audit.run(data).missing_files == 0
        and pd.read_parquet(data.folder / dataset.MEASURES)["mean"].notna().sum() == 60
    )
    path.unlink()
    editing.exclude("some", [0])
    assert audit.run(dataset.load("some")).missing_files == 0


def test_hashes_match_imagehash():
    from imagehash import phash

    pixels = np.random.default_rng(0).integers(0, 256, (192, 192), dtype=np.uint8)
    image = Image.fromarray(pixels)
    expected = phash(image.resize((64, 64), Image.Resampling.LANCZOS), hash_size=16).hash.ravel()
    found = image_statistics.packed([image_statistics.measure(image.convert("RGB"))["hashes"]])[0]
    assert (np.unpackbits(found[0]) == expected).all()
    cropped = image.resize((64, 64), Image.Resampling.LANCZOS, box=(0.05 * 192, 0, 192, 192))
    by_library = phash(cropped, hash_size=16).hash.ravel()
    assert (np.unpackbits(found[1]) != by_library).sum() <= 4  # the library rounds to grey levels in between
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    assert (
        image_statistics.measure(Image.open(buffer).convert("RGB"))["hashes"]
        == image_statistics.measure(image.convert("RGB"))["hashes"]
    )
