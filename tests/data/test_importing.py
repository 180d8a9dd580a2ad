import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from cxrcore.data import dataset, exclusions
from cxrcore.data.importing import ImportOptions, import_folders
from cxrcore.data.mapping import Choices
from cxrcore.errors import UserError


def _pixels(seed, size=12):
    return np.random.default_rng(seed).integers(0, 256, (size, size), dtype=np.uint8)


@pytest.fixture
def folders(save, tmp_path):
    """Class folders as the tutorials know them."""
    for k in range(3):
        save(f"set/train/NORMAL/IM-{k:04d}-0001.jpeg", _pixels(k))
        save(f"set/train/PNEUMONIA/person{k}_virus_7.jpeg", _pixels(10 + k))
        save(f"set/train/PNEUMONIA/person{k}_bacteria_8.jpeg", _pixels(20 + k))
    return tmp_path / "set"


@pytest.fixture
def collection(save, tmp_path):
    """A small COVID collection: every reason for which a row is left out."""
    save("collection/images/a.png", _pixels(1))
    save("collection/images/b.png", _pixels(2))
    save("collection/images/s.png", _pixels(3))
    rows = [
        ("1", "COVID-19", "PA", "X-ray", "a.png"),
        ("1", "COVID-19, ARDS", "AP Supine", "X-ray", "b.png"),
        ("2", "COVID-19", "L", "X-ray", "c.png"),
        ("2", "COVID-19", "Axial", "CT", "d.png"),
        ("3", "SARS", "PA", "X-ray", "s.png"),
        ("4", "COVID-19", "AP", "X-ray", "gone.png"),
        ("1", "COVID-19", "PA", "X-ray", "a.png"),
    ]
    table = pd.DataFrame(rows, columns=["patientid", "finding", "view", "modality", "filename"])
    table.to_csv(tmp_path / "collection" / "metadata.csv", index=False)
    return tmp_path / "collection"


def test_class_folders(folders):
    data = import_folders([folders], "kids")
    assert data.counts() == {"NORMAL": 3, "PNEUMONIA": 6} and data.positive == "PNEUMONIA"
    assert data.info.mapping == {"set/NORMAL": "NORMAL", "set/PNEUMONIA": "PNEUMONIA"}
    assert sorted(data.usable["patient"].unique()) == [
        *(f"set:IM-{k:04d}" for k in range(3)),
        *(f"set:person{k}" for k in range(3)),
    ]
    assert (data.usable["width"] == 12).all()


def test_covid_collection_rows_are_left_out_with_kind(collection):
    data = import_folders([collection], "covid", ImportOptions(Choices(keep=["COVID-19", "SARS"])))
    assert data.counts() == {"COVID": 2, "SARS": 1}
    assert data.usable["patient"].tolist() == ["collection:1", "collection:1", "collection:3"]
    assert data.left_out_counts() == {"view": 2, "missing": 1, "repeated": 1}
    missing = data.left_out[data.left_out["left_out"] == "missing"]
    assert missing["path"].iloc[0].endswith("gone.png")


def test_sources_are_merged_with_changed_mapping(collection, folders):
    data = import_folders(
        [collection, folders],
        "both",
        ImportOptions(Choices({"sars": "OTHER INFECTION"}, leave_out=["set/PNEUMONIA"])),
    )
    assert data.counts() == {"COVID": 2, "NORMAL": 3, "OTHER INFECTION": 1}
    assert data.left_out_counts()["finding"] == 6


def test_parent_folder_of_known_layouts_is_searched(collection, folders, tmp_path):
    (tmp_path / "all").mkdir()
    collection.rename(tmp_path / "all" / "collection")
    folders.rename(tmp_path / "all" / "set")
    assert import_folders([tmp_path / "all"], "all").counts() == {
        "COVID": 2,
        "NORMAL": 3,
        "OTHER INFECTION": 6,
    }


def test_folders_of_one_name_are_two_sources(save, tmp_path):
    for place in ("one", "two"):
        for name in ("TB", "NORMAL"):
            save(f"{place}/data/{name}/person0_virus_1.png", _pixels(len(place + name) + ord(place[0])))
    used = import_folders([tmp_path / "one" / "data", tmp_path / "two" / "data"], "both").usable
    assert used["source"].tolist() == ["data"] * 2 + ["data (2)"] * 2
    assert set(used["patient"]) == {"data:person0", "data (2):person0"}


def test_mapping_of_one_source_does_not_change_others(folders, save, tmp_path):
    save("other/PNEUMONIA/x.png", _pixels(77))
    data = import_folders([folders, tmp_path / "other"], "both", ImportOptions(Choices({"other/pneumonia": ""})))
    assert data.counts() == {"NORMAL": 3, "PNEUMONIA": 6}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"choices": Choices({"NORMAL": "x" * 61})}, "class name: expected 1 to 60 characters.* Received: 'x"),
        ({"choices": Choices({"FLU": "COVID"})}, "finding to map: expected one of NORMAL, PNEUMONIA. Received: 'FLU'"),
        ({"choices": Choices(keep=["normal"])}, "at least two classes. Received: NORMAL. Findings: PNEUMONIA .6."),
        ({"limits": {"normal": 1}}, "class to limit: expected one of .* Received: 'normal'"),
    ],
)
def test_unknown_names_are_refused(folders, options, message):
    with pytest.raises(UserError, match=message):
        import_folders([folders], "kids", ImportOptions(**options))


def test_image_that_is_kept_has_the_masks_of_its_repeats():
    """Rows 0 and 2 are of one image, 1 and 3 of another, and 4 and 5 are in conflict."""
    columns = ("sha256", "label", "lungs", "lesions", "left_out")
    rows = [
        ("a", "TB", "a.png", "", ""),
        ("b", "TB", "", "", ""),
        ("a", "TB", "other.png", "lesion.png", ""),
        ("b", "TB", "", "", ""),
        ("c", "TB", "", "", ""),
        ("c", "NORMAL", "c.png", "", ""),
        ("b", "TB", "unused.png", "", "view"),
    ]
    table = pd.DataFrame(rows, columns=columns).assign(left_out_reason="")
    found = exclusions.without_repeats(table)
    assert found["left_out"].tolist() == ["", "", "repeated", "repeated", "conflict", "conflict", "view"]
    assert found["lungs"].tolist() == ["a.png", "", "other.png", "", "", "c.png", "unused.png"]
    assert found["lesions"].tolist() == ["lesion.png", "", "lesion.png", "", "", "", ""]
    assert found.index.tolist() == list(range(7))


def test_repeated_image_is_used_once_and_conflicting_one_never(folders):
    one, two = (folders / "train" / name for name in ("NORMAL", "PNEUMONIA"))
    (one / "copy.jpeg").write_bytes((one / "IM-0000-0001.jpeg").read_bytes())
    (two / "conflict.jpeg").write_bytes((one / "IM-0001-0001.jpeg").read_bytes())
    data = import_folders([folders], "kids")
    assert data.counts() == {"NORMAL": 2, "PNEUMONIA": 6}
    assert data.left_out_counts() == {"repeated": 1, "conflict": 2}


def test_limits_keep_the_first_images(folders):
    data = import_folders([folders], "few", ImportOptions(limits={"PNEUMONIA": 2}))
    assert data.counts() == {"NORMAL": 3, "PNEUMONIA": 2}
    assert data.left_out_counts() == {"limit": 4}


def test_arrays_become_images_with_the_same_pixels(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (6, 9, 9, 3), dtype=np.uint8)
    y = np.eye(3)[[0, 1, 2, 0, 1, 2]]
    np.save(tmp_path / "X_train.npy", x)
    np.save(tmp_path / "Y_train.npy", y)
    data = import_folders([tmp_path], "arrays")
    assert data.usable["label"].tolist() == ["COVID", "NORMAL", "OTHER INFECTION"] * 2
    from cxrcore.data.images import load

    for row, expected in zip(data.usable.itertuples(), x, strict=True):
        assert (load(_path(row.path), 9) == expected).all()


def test_array_sources_of_equal_names_are_separate(tmp_path):
    for k, folder in enumerate(("a", "b")):
        (tmp_path / folder).mkdir()
        x = np.random.default_rng(k).integers(0, 256, (3, 5, 5, 3), dtype=np.uint8)
        np.save(tmp_path / folder / "X_train.npy", x)
        np.save(tmp_path / folder / "Y_train.npy", np.eye(3))
    data = import_folders([tmp_path / "a", tmp_path / "b"], "both")
    assert data.usable["path"].nunique() == 6 and data.usable["sha256"].nunique() == 6


def _path(text):
    from pathlib import Path

    return Path(text)


def test_object_arrays_are_refused(tmp_path):
    np.save(tmp_path / "X_a.npy", np.array([{"code": "runs"}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "Y_a.npy", np.eye(3)[:1])
    with pytest.raises(UserError, match="Python objects are refused"):
        import_folders([tmp_path], "bad")
    assert dataset.names() == []


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (np.zeros((2, 4, 4, 3), np.float32), np.eye(3)[:2], "expected uint8"),
        (np.zeros((2, 4, 4, 3), np.uint8), np.eye(3), r"expected one-hot of shape \(2, 3\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), np.ones((2, 3)), "exactly one 1"),
    ],
)
def test_invalid_arrays_are_refused(tmp_path, x, y, expected):
    np.save(tmp_path / "X_a.npy", x)
    np.save(tmp_path / "Y_a.npy", y)
    with pytest.raises(UserError, match=expected):
        import_folders([tmp_path], "bad")


def test_unreadable_files_are_left_out_with_reason(folders):
    bad = folders / "train" / "NORMAL"
    (bad / "empty.png").write_bytes(b"")
    (bad / "text.png").write_text("hello")
    whole = (bad / "IM-0000-0001.jpeg").read_bytes()
    (bad / "cut.jpeg").write_bytes(whole[: len(whole) // 2])
    data = import_folders([folders], "some")
    assert data.counts() == {"NORMAL": 3, "PNEUMONIA": 6}
    reasons = {row.path.rsplit("/", 1)[1]: row.left_out_reason for row in data.left_out.itertuples()}
    assert "0 bytes" in reasons["empty.png"]
    assert "not an image" in reasons["text.png"]
    assert "truncated" in reasons["cut.jpeg"]


def test_empty_folder_lists_expected_layouts(tmp_path):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UserError, match=r"No image was found .* metadata\.csv"):
        import_folders([tmp_path / "nothing"], "none")


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="There is no folder"):
        import_folders([tmp_path / "nope"], "none")


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65])
def test_unsafe_dataset_names_are_refused(folders, name):
    with pytest.raises(UserError, match="dataset's name"):
        import_folders([folders], name)


def test_import_resumes_after_full_disk(folders, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", full)
        with pytest.raises(UserError, match="disk is full"):
            import_folders([folders], "kids")
    assert dataset.names() == []
    seen = []
    assert len(import_folders([folders], "kids", progress=lambda done, total: seen.append(done)).usable) == 9
    assert seen == []  # every image had been opened


def test_import_of_one_class_is_refused_before_it_starts(save, tmp_path, home):
    save("set/cats/a.png", _pixels(0))
    with pytest.raises(UserError, match=r"at least two classes. Received: Cats. Findings: cats \(1\)"):
        import_folders([tmp_path / "set"], "cats")
    assert not (home / "datasets").exists()
    only = import_folders([tmp_path / "set"], "cats", ImportOptions(one_class=True))
    assert only.counts() == {"Cats": 1} and only.positive == ""


def test_import_without_usable_image_leaves_no_files(tmp_path, home):
    for name in ("cats", "dogs"):
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "a.png").write_bytes(b"")
    with pytest.raises(UserError, match="None of the 2 images can be used: 2 x the file is empty"):
        import_folders([tmp_path / "set"], "pets")
    assert [path for path in (home / "datasets").iterdir() if path.is_dir()] == []


def test_deleting_a_dataset_keeps_the_imported_images(folders):
    import_folders([folders], "kids")
    dataset.delete("kids")
    assert dataset.names() == []
    assert len(list(folders.rglob("*.jpeg"))) == 9


def test_free_name_adds_a_number(folders):
    assert dataset.free_name("kids") == "kids"
    import_folders([folders], "kids")
    assert dataset.free_name("kids") == "kids-2"
