"""Masks: which files are masks, and the images that they belong to."""

import pytest

from cxrcore.data import file_tree
from cxrcore.data.readers import detect, masks
from tests.conftest import SHARED
from tests.data.zip_files import zipped


@pytest.fixture
def tree(tmp_path):
    """Return the tree of a folder with files of these names; readers do not open them."""

    def make(folder, *names):
        for name in names:
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"an image")
        return file_tree.open_file_tree(tmp_path / folder)

    return make


def _attached(*trees):
    return masks.attach(trees, [reading for tree in trees for reading in detect.read(tree)])


def _found(readings, kind="lungs"):
    """Return the last two parts of the images' paths to those of their masks, of images with masks."""
    return {
        _end(path): [_end(file.path) for file in files]
        for reading in readings
        for path, files in zip(reading.rows["path"], reading.rows[kind], strict=True)
        if files
    }


def _end(path):
    return "/".join(str(path).split("/")[-2:])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("masks/a.png", "lungs"),
        ("mask/a.png", "lungs"),
        ("lung_masks/a.png", "lungs"),
        ("Lung Masks/NORMAL/a.png", "lungs"),
        ("leftMask/a.png", "lungs"),
        ("lesion_masks/a.png", "lesions"),
        ("infection masks/a.png", "lesions"),
        ("opacity-masks/a.png", "lesions"),
        ("finding_masks_png/a.png", "lesions"),
        ("masks/lesions/a.png", "lesions"),
        ("Lung_Opacity/masks/a.png", "lungs"),
        ("lesions/masks/a.png", "lungs"),
        ("masks/Lung_Opacity/a.png", "lungs"),
        ("NORMAL/a_mask.png", "lungs"),
        ("NORMAL/a.mask.png", "lungs"),
        ("NORMAL/a-Lesion-Mask.PNG", "lesions"),
        ("masks/a_infection_mask.png", "lesions"),
        ("train masks/a.png", "lungs"),
        ("masks/left lung/a.png", "lungs"),
        ("TB_lung_masks/a.png", "lungs"),
        ("lung_nodule_masks/a.png", "lesions"),
        ("pneumothorax masks/a.png", "lesions"),
        ("effusion_mask/a.png", "lesions"),
        ("tb_masks/a.png", "lesions"),
        ("mass-masks/a.png", "lesions"),
        ("rib fracture masks/a.png", "lesions"),
        ("heart_masks/a.png", "other"),
        ("heart_lung_masks/a.png", "other"),
        ("png_masks/a.png", "other"),
        ("cotton masks/a.png", "other"),
        ("masks/heart/a.png", "other"),
        ("masks/left clavicle/a.png", "other"),
        ("masks/Heart failure/a.png", "lungs"),
        ("lesion_masks/Lung cancer/a.png", "lesions"),
        ("segmentation/a.png", "lungs"),
        ("Segmentations/a.png", "lungs"),
        ("GroundTruth/a.png", "lungs"),
        ("ground_truth/lesions/a.png", "lesions"),
        ("lung segmentation/a.png", None),
        ("masks/a.gif", "lungs"),
        ("masks/a.DCM", "lungs"),
        ("lesion_masks/a.jfif", "lesions"),
        ("masks/IM000001", "lungs"),
        ("masks/1.2.840.113619.2.5", "lungs"),
        ("masks/README", None),
        ("TB/IM000001", None),
        ("NORMAL/a_heart_mask.png", "other"),
        ("NORMAL/a_left_lung_mask.png", "lungs"),
        ("NORMAL/a.png", None),
        ("masked/a.png", None),
        ("mask_off/a.png", None),
        ("lesions/a.png", None),
        ("NORMAL/unmask.png", None),
        ("masks/a.txt", None),
    ],
)
def test_kinds_of_masks_by_name(tree, name, kind):
    assert masks.names(tree("set", name)) == ({name: kind} if kind else {})


def test_bare_folder_names_are_masks_beside_images_only(tree):
    assert masks.names(tree("set", "images/a.png", "lungs/a.png", "lesions/a.png")) == {
        "lungs/a.png": "lungs",
        "lesions/a.png": "lesions",
    }
    assert masks.names(tree("classes", "lesions/a.png", "normal/a.png")) == {}


def test_set_named_after_its_masks_keeps_its_images(tree):
    found = masks.names(tree("xrays_masks", "TB/a.png", "NORMAL/b.png", "lung_masks/a.png"))
    assert found == {"lung_masks/a.png": "lungs"}
    assert masks.names(tree("more_masks", "images/a.png", "masks/a.png")) == {"masks/a.png": "lungs"}
    assert masks.names(tree("lung_masks", "a.png")) == {"a.png": "lungs"}


def test_masks_beside_images_are_no_images(tree):
    readings = _attached(tree("set", "NORMAL/a.jpg", "NORMAL/a_mask.png", "TB/b.png", "TB/b_mask.png", "TB/c.b.png"))
    assert [path.rsplit("/", 1)[1] for path in readings[0].rows["path"]] == ["a.jpg", "b.png", "c.b.png"]
    assert _found(readings) == {"NORMAL/a.jpg": ["NORMAL/a_mask.png"], "TB/b.png": ["TB/b_mask.png"]}


def test_masks_of_any_format_are_no_images(tree):
    (reading,) = _attached(tree("set", "TB/a.png", "TB/b.png", "TB/c.png", "masks/a.gif", "masks/b.dcm", "masks/d.gif"))
    assert reading.rows["finding"].tolist() == ["TB"] * 3
    assert _found([reading]) == {"TB/a.png": ["masks/a.gif"], "TB/b.png": ["masks/b.dcm"]}
    (note,) = map(str, reading.notes)
    assert "masks without an image: 1, for example" in note and note.endswith("masks/d.gif")


def test_masks_of_other_organs_are_counted_in_a_note(tree):
    names = ("images/a.png", "masks/heart/a.png", "masks/left lung/a.png", "masks/left clavicle/a.png")
    (reading,) = _attached(tree("set", *names))
    assert len(reading.rows) == 1 and _found([reading]) == {"images/a.png": ["left lung/a.png"]}
    (note,) = map(str, reading.notes)
    assert "neither lungs nor findings by their name, not used: 2, for example" in note and "masks/heart/a.png" in note


def test_word_of_a_finding_may_be_part_of_the_name_of_the_image(tree):
    readings = _attached(tree("set", "TB/1_nodule.png", "TB/1_nodule_mask.png"))
    assert _found(readings, "lesions") == {"TB/1_nodule.png": ["TB/1_nodule_mask.png"]}


@pytest.mark.parametrize("layout", ["{kind}/{label}/{name}", "{label}/{kind}/{name}"])
def test_equal_names_in_several_classes_are_not_mixed(tree, layout):
    def named(kind, label, name):
        return layout.format(kind=kind, label=label, name=name)

    files = [named("images", label, "1.png") for label in ("NORMAL", "TB")]
    files += [named("masks", label, "1.png") for label in ("NORMAL", "TB")]
    files += [named("masks", "NORMAL", "2.png"), named("images", "TB", "2.png")]
    readings = _attached(tree("set", *files))
    assert readings[0].rows["finding"].tolist() == ["NORMAL", "TB", "TB"]
    pairs = {
        (path.replace("/images/", "/masks/"), tuple(str(file.path) for file in files))
        for path, files in zip(readings[0].rows["path"], readings[0].rows["lungs"], strict=True)
        if files
    }
    assert len(pairs) == 2 and all(files == (path,) for path, files in pairs)
    (note,) = map(str, readings[0].notes)
    assert "masks without an image: 1, for example" in note and note.endswith(named("masks", "NORMAL", "2.png"))


def test_mask_that_fits_several_images_is_not_used(tree):
    readings = _attached(tree("set", "NORMAL/1.png", "TB/1.png", "TB/2.png", "masks/1.png", "masks/2.png"))
    assert _found(readings) == {"TB/2.png": ["masks/2.png"]}
    (note,) = map(str, readings[0].notes)
    assert "masks that fit several images and are not used: 1" in note and note.endswith("set/masks/1.png")


def test_masks_in_a_path_of_their_own(tree):
    images, lungs, lesions = (
        tree("data/set", "TB/a.jpeg", "NORMAL/b.png"),
        tree("data/lung_masks", "A.png", "b_mask.png"),
        tree("data/lesion_masks", "a.png"),
    )
    readings = _attached(lungs, images, lesions, lungs)  # a path that is given twice
    assert [(reading.layout, len(reading.rows)) for reading in readings] == [
        ("masks", 0),
        ("class folders", 2),
        ("masks", 0),
        ("masks", 0),
    ]
    assert _found(readings) == {"TB/a.jpeg": ["lung_masks/A.png"], "NORMAL/b.png": ["lung_masks/b_mask.png"]}
    assert _found(readings, "lesions") == {"TB/a.jpeg": ["lesion_masks/a.png"]}
    assert not any(reading.notes for reading in readings)


def _archives(tmp_path, *names):
    """Return trees of archives that are called archive.zip, with the image and the mask of one name in each."""
    for number, name in enumerate(names):
        file = tmp_path / str(number) / "archive.zip"
        file.parent.mkdir()
        file.write_bytes(zipped({f"TB/{name}": b"an image", f"masks/{name}": name.encode()}))
        yield file_tree.open_file_tree(file)


def test_archives_of_one_name_are_kept_apart(tmp_path):
    readings = _attached(*_archives(tmp_path, "1.png", "2.png"))
    assert [[file.read() for file in files] for reading in readings for files in reading.rows["lungs"]] == [
        [b"1.png"],
        [b"2.png"],
    ]


def test_images_of_one_name_in_archives_of_one_name_have_no_mask(tmp_path):
    readings = _attached(*_archives(tmp_path, "1.png", "1.png"))
    assert not _found(readings) and ["several images" in str(note) for note in readings[0].notes] == [True, True]


def test_image_in_several_rows_has_its_mask_in_all(tree, tmp_path):
    tree("set", "images/a.png", "masks/a.png", "masks/b.png")
    (tmp_path / "set" / "list.csv").write_text("path,label\na.png,TB\na.png,Normal\nb.png,TB\n")
    of_list = file_tree.open_file_tree(tmp_path / "set")
    readings = _attached(of_list, file_tree.open_file_tree(tmp_path / "set" / "images"))
    assert [len(files) for reading in readings for files in reading.rows["lungs"]] == [1, 1, 0, 1]
    assert readings[0].rows["left_out"].tolist() == ["", "", "missing"]
    (note,) = map(str, readings[0].notes)
    assert "masks without an image: 1" in note and note.endswith("masks/b.png")


@pytest.mark.shared
@pytest.mark.parametrize("names", [("",), ("covid-chestxray-dataset", "lung_masks", "lesion_masks")])
def test_drawn_masks_of_real_images_are_found(names):
    readings = _attached(*(file_tree.open_file_tree(SHARED / "data" / name) for name in names))
    assert [len(_found(readings, kind)) for kind in masks.KINDS] == [172, 38]
    assert not any(reading.notes for reading in readings)
    assert all("masks" not in path for reading in readings for path in reading.rows["path"])
