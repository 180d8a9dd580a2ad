"""Layouts: tables, given splits, DICOM exports; and the permitted folders."""

import numpy as np
import pandas as pd
import pytest

from cxrcore.data import classes, file_tree, roots, split
from cxrcore.data.importing import ImportOptions, import_folders, import_trees
from cxrcore.data.mapping import Choices
from cxrcore.errors import UserError
from tests.data.dicom_files import radiograph


def _pixels(seed):
    return np.random.default_rng(seed).integers(0, 256, (12, 12), dtype=np.uint8)


@pytest.fixture
def listed(save, tmp_path):
    """A table in the form of ChestX-ray14's, with images in folders of their own."""
    for k in range(4):
        save(f"nih/images_{k % 2}/images/{k}.png", _pixels(k))
    table = pd.DataFrame(
        {
            "Image Index": ["0.png", "1.png", "2.png", "3.png", "gone.png"],
            "Finding Labels": ["Normal", "Pneumonia", "Normal", "Pneumonia", "Normal"],
            "Patient ID": ["1", "1", "2", "3", "4"],
            "Patient Age": ["058Y", "58", "4", "90", ""],
            "Patient Gender": ["M", "M", "F", "female", ""],
            "View Position": ["PA", "AP", "LL", "PA", "PA"],
            "Hospital": ["A", "A", "A", "B", "B"],
            "Verdict": ["COVID", "COVID", "Normal", "Normal", "Normal"],
        }
    )
    table.to_csv(tmp_path / "nih" / "list.csv", index=False)
    return tmp_path / "nih" / "list.csv"


@pytest.mark.parametrize("by", ["the table", "its folder"])
def test_table_with_usual_columns(listed, by):
    data = import_folders([listed if by == "the table" else listed.parent], "nih")
    assert data.counts() == {"NORMAL": 1, "Pneumonia": 2}
    assert data.left_out_counts() == {"view": 1, "missing": 1}
    used = data.usable
    assert used["patient"].tolist() == ["nih:1", "nih:1", "nih:3"] and used["source"].tolist() == ["A", "A", "B"]
    assert used["age"].tolist() == ["40-59", "40-59", "80+"] and used["sex"].tolist() == ["M", "M", "F"]


def test_images_that_a_table_does_not_list_are_noted(listed, save):
    save("nih/other/x.png", _pixels(9))
    data = import_folders([listed], "nih")
    assert [str(note) for note in data.info.notes] == [
        f"{listed.parent}: images without a label: 1, for example other/x.png"
    ]


def test_files_of_a_table_are_found_without_suffix(listed):
    table = pd.read_csv(listed, dtype=str)
    table["Image Index"] = table["Image Index"].str.removesuffix(".png").str.upper()
    table.to_csv(listed, index=False)
    assert import_folders([listed], "nih").left_out_counts() == {"view": 1, "missing": 1}
    table["Image Index"] = "else" + table["Image Index"]
    table.to_csv(listed, index=False)
    with pytest.raises(UserError, match=r"None of the 5 images that list\.csv lists is in"):
        import_folders([listed], "none")


def test_list_of_other_files_beside_class_folders_is_ignored(save, tmp_path):
    for k, name in enumerate(["TB", "NORMAL"]):
        save(f"set/{name}/{k}.png", _pixels(k))
    pd.DataFrame({"image": ["a.jpg"], "label": ["cat"]}).to_csv(tmp_path / "set" / "some.csv", index=False)
    pd.DataFrame({"file": ["0"], "note": ["x"]}).to_csv(tmp_path / "set" / "metadata.csv", index=False)
    (tmp_path / "set" / "images").mkdir()
    (tmp_path / "set" / "TB").rename(tmp_path / "set" / "images" / "TB")
    assert import_folders([tmp_path / "set"], "set").counts() == {"NORMAL": 1, "TB": 1}


def test_columns_can_be_chosen(listed):
    data = import_folders([listed], "nih", ImportOptions(columns={"finding": "Verdict"}))
    assert data.counts() == {"COVID": 2, "NORMAL": 1}


@pytest.mark.parametrize("columns", [{"finding": "Diagnose"}, {"colour": "Verdict"}])
def test_unknown_column_is_refused(listed, columns):
    with pytest.raises(UserError, match=r"column to read: expected a role of path, finding.* Received"):
        import_folders([listed], "nih", ImportOptions(columns=columns))


def test_table_without_labels_is_refused(tmp_path):
    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "some.csv", index=False)
    with pytest.raises(UserError, match="no column known as path"):
        import_folders([tmp_path / "some.csv"], "some")


def test_given_split_is_kept_and_used(save, tmp_path):
    for k in range(12):
        save(f"chest_xray/{'train' if k < 8 else 'test'}/{'NORMAL' if k % 2 else 'PNEUMONIA'}/{k}.png", _pixels(k))
    whole = import_folders([tmp_path / "chest_xray"], "whole").usable
    assert whole["given_split"].value_counts().to_dict() == {"train": 8, "test": 4}
    part = split.given(whole, validation=0.25, seed=0)
    assert (part[whole["given_split"] == "test"] == "test").all() and (part == "validation").sum() == 2
    apart = import_folders([tmp_path / "chest_xray" / name for name in ("train", "test")], "apart").usable
    assert set(apart["source"]) == {"chest_xray"} and sorted(apart["given_split"]) == sorted(whole["given_split"])


def test_given_split_needs_test_images(phantom):
    with pytest.raises(UserError, match="gives no test images"):
        split.given(phantom.usable, 0.1, 0)


def test_patient_in_two_given_parts_is_one_patient(save, tmp_path):
    save("set/train/PNEUMONIA/person1_virus_1.png", _pixels(1))
    save("set/test/PNEUMONIA/person1_virus_2.png", _pixels(2))
    save("set/test/NORMAL/IM-0001-0001.png", _pixels(3))
    used = import_folders([tmp_path / "set"], "set").usable
    assert used["patient"].value_counts().to_dict() == {"set:person1": 2, "set:IM-0001": 1}


def test_pacs_export_without_suffixes(tmp_path):
    """Class, patient, series, files without a suffix; patient and view are in the header."""
    for k, (label, view) in enumerate([("NORMAL", "PA"), ("NORMAL", "LL"), ("COVID", "AP"), ("COVID", "")]):
        file = tmp_path / "export" / label / f"PAT{k}" / "SER1" / f"IM{k:06d}"
        file.parent.mkdir(parents=True)
        file.write_bytes(
            radiograph(
                _pixels(k), bits=8, PatientID=f"name of {k // 3}", ViewPosition=view, PatientSex="M", PatientAge="061Y"
            )
        )
    (tmp_path / "export" / "DICOMDIR").write_bytes(b"index")
    data = import_folders([tmp_path / "export"], "pacs")
    assert data.counts() == {"COVID": 2, "NORMAL": 1} and data.left_out_counts() == {"view": 1}
    used = data.usable
    assert used["patient"].nunique() == 2 and set(used["age"]) == {"60-79"} and set(used["format"]) == {"DICOM"}
    kept = "".join(file.read_bytes().decode("latin-1") for file in data.folder.rglob("*") if file.is_file())
    assert "name of" not in kept
    again = import_folders([tmp_path / "export"], "again").usable
    assert set(used["patient"]).isdisjoint(again["patient"])  # every dataset has a salt of its own


def test_only_pixels_of_uploaded_dicom_are_kept():
    content = radiograph(_pixels(0), bits=8, PatientName="Jane Roe", PatientID="77")
    uploads = [
        file_tree.Upload("NORMAL/a.dcm", content),
        file_tree.Upload("COVID/b.dcm", radiograph(_pixels(1), bits=8)),
    ]
    data = import_trees([file_tree.of_uploads(uploads)], "mine", roots=[])
    assert data.counts() == {"COVID": 1, "NORMAL": 1}
    kept = "".join(file.read_bytes().decode("latin-1") for file in data.folder.rglob("*") if file.is_file())
    assert "Jane" not in kept and "DICM" not in kept
    from cxrcore.data.images import load

    assert (load(data.usable.set_index("label")["path"].map(file_tree.Path)["NORMAL"], 12)[..., 0] == _pixels(0)).all()


def test_files_outside_the_permitted_folders_are_left_out(save, tmp_path):
    save("outside/secret.png", _pixels(0))
    save("root/NORMAL/a.png", _pixels(1))
    save("root/COVID/b.png", _pixels(2))
    save("root/TB/c.png", _pixels(3))
    (tmp_path / "root" / "NORMAL" / "link.png").symlink_to(tmp_path / "outside" / "secret.png")
    table = pd.DataFrame({"path": [str(tmp_path / "outside" / "secret.png")], "label": ["NORMAL"]})
    table.to_csv(tmp_path / "root" / "COVID" / "list.csv", index=False)
    trees = [
        file_tree.open_file_tree(tmp_path / "root"),
        file_tree.open_file_tree(tmp_path / "root" / "COVID" / "list.csv"),
    ]
    data = import_trees(trees, "some", roots=[(tmp_path / "root").resolve()])
    assert data.left_out_counts()["outside"] >= 2 and not data.usable["path"].str.contains("secret|link").any()


def test_dicom_patient_comes_from_the_header(tmp_path):
    """Exports name every first image IM-0001-0001; one patient may be in two folders."""
    for k, patient in enumerate(["A", "B", "C", "A"]):
        file = (
            tmp_path / ("one" if k < 3 else "two") / ("NORMAL" if k % 2 else "COVID") / f"PAT{k}" / "IM-0001-0001.dcm"
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(radiograph(_pixels(k), bits=8, PatientID=patient))
    used = import_folders([tmp_path / "one", tmp_path / "two"], "both").usable
    assert used["patient"].nunique() == 3 and used["patient"][0] == used["patient"][3]
    assert used["modality"].tolist() == ["DX"] * 4


def test_column_can_be_unset(listed):
    data = import_folders([listed], "nih", ImportOptions(columns={"patient": ""}))
    assert data.usable["patient"].nunique() == 3


def test_file_name_that_is_not_utf8_is_left_out(save, tmp_path):
    import os

    save("set/NORMAL/a.png", _pixels(0))
    file = tmp_path / "set" / "NORMAL" / "a.png"
    file.rename(file.with_name(os.fsdecode(b"caf\xe9.png")))
    save("set/NORMAL/b.png", _pixels(1))
    save("set/TB/c.png", _pixels(2))
    data = import_folders([tmp_path / "set"], "some")
    assert data.counts() == {"NORMAL": 1, "TB": 1} and "UTF-8" in data.left_out["left_out_reason"][0]


def test_uploaded_dicom_in_no_folder_can_be_given_a_class():
    names = ["IM-0001.dcm", "1.2.840.113619.2.5"]
    uploads = [file_tree.Upload(name, radiograph(_pixels(k), bits=8)) for k, name in enumerate(names)]
    tree = file_tree.of_uploads([*uploads, file_tree.Upload("COVID/b.dcm", radiograph(_pixels(7), bits=8))])
    with pytest.raises(UserError, match=r"at least two classes. Received: COVID. Findings: \(no folder\) \(2\)"):
        import_trees([tree], "without", roots=[])
    options = ImportOptions(Choices({f"upload/{classes.NO_FOLDER}": "NORMAL"}))
    assert import_trees([tree], "with", options, roots=[]).counts() == {"COVID": 1, "NORMAL": 2}


def test_roots_contain_paths_with_links_followed(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path)
    permitted = [tmp_path.resolve() / "root"]
    assert roots.contain(permitted, tmp_path / "root" / "a.png")
    assert not roots.contain(permitted, tmp_path / "root" / "link" / "a.png")
    assert not roots.contain([], tmp_path) and roots.contain(None, tmp_path)
