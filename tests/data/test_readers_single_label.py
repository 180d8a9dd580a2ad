"""Public sets with one finding an image: a miniature of each layout, with its faults. Counts are worked out by hand."""

import json

import numpy as np
import pytest

from cxrcore.data import file_tree
from cxrcore.data.importing import import_folders
from cxrcore.data.readers import detect, masks
from cxrcore.data.readers.base import NO_CITATION
from cxrcore.errors import UserError
from tests.data.dicom_files import radiograph
from tests.data.zip_files import zipped


@pytest.fixture
def put(tmp_path):
    """Write files of any content below tmp_path; readers do not open the images."""

    def write(*names, content=b"an image"):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


def _read(folder):
    """Return the only reading of a folder, with its masks."""
    tree = file_tree.open_file_tree(folder)
    (reading,) = masks.attach([tree], detect.read(tree))
    return reading


def _rows(reading):
    """Return file name to row."""
    return {row["path"].rsplit("/", 1)[1]: row for row in reading.rows.to_dict("records")}


def _notes(reading):
    return [str(note) for note in reading.notes]


@pytest.mark.parametrize(
    ("names", "published"),
    [
        (("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia"), True),
        (("covid", "lung_opacity", "normal", "Viral Pneumonia"), True),
        (("TB", "Effusion", "Healthy", "Opacity"), False),
    ],
)
def test_radiography_database_keeps_classes_and_masks_apart(put, tmp_path, names, published):
    place = "download/COVID-19_Radiography_Dataset"
    first, second, third, fourth = (f"{place}/{name}" for name in names)
    put(f"{first}/images/a-1.png", f"{first}/images/a-2.png", f"{second}/images/1.png", f"{third}/images/1.png")
    put(f"{third}/images/2.png", f"{fourth}/images/v.png", f"{fourth}/flat.png", f"{place}/README.md.txt")
    put(f"{first}/masks/a-1.png", f"{first}/masks/a-2.png", f"{second}/masks/1.png", content=b"a mask")
    put(f"{third}/masks/1.png", f"{third}/masks/a-1.png", f"{place}/{names[0]}.metadata.xlsx", content=b"a mask")
    reading = _read(tmp_path / "download")
    assert reading.layout == "radiography"
    assert (reading.citation != NO_CITATION) == published
    assert reading.rows["finding"].value_counts().to_dict() == dict(zip(names, (2, 1, 2, 2), strict=True))
    assert set(reading.rows["source"]) == {"COVID-19_Radiography_Dataset"} and set(reading.rows["patient"]) == {""}
    for row in reading.rows.to_dict("records"):
        own = row["path"].replace("/images/", "/masks/")
        expected = [] if row["path"].endswith(("2.png", "v.png", "flat.png")) and "a-2" not in own else [own]
        assert [str(file.path) for file in row["lungs"]] == expected
    assert _notes(reading) == [  # a mask of one class never goes to an image of another
        f"{tmp_path}/download: masks without an image: 1, for example {tmp_path}/{third}/masks/a-1.png"
    ]


def test_radiography_layout_below_folders_of_parts(put, tmp_path):
    for part in ("Train", "Test"):
        for name in ("COVID-19", "Normal"):
            put(f"set/{part}/{name}/images/{part}.png", f"set/{part}/{name}/lung masks/{part}.png")
            put(f"set/{part}/{name}/infection masks/{part}.png")
    tree = file_tree.open_file_tree(tmp_path / "set")
    readings = masks.attach([tree], detect.read(tree))
    assert [reading.rows["given_split"].tolist() for reading in readings] == [["test"] * 2, ["train"] * 2]
    for reading in readings:
        assert reading.rows["finding"].tolist() == ["COVID-19", "Normal"] and set(reading.rows["source"]) == {"set"}
        assert [len(files) for files in (*reading.rows["lungs"], *reading.rows["lesions"])] == [1] * 4


def test_folders_of_samples_are_not_classes(put, tmp_path):
    for number in range(51):
        put(f"set/NORMAL/{number}/images/{number}.png", f"set/NORMAL/{number}/masks/{number}.png")
    assert _read(tmp_path / "set").rows["finding"].unique().tolist() == ["NORMAL"]


def test_radiography_database_is_imported(save, tmp_path):
    random = np.random.default_rng(0)
    for name in ("COVID", "Lung_Opacity", "Normal"):
        for number in range(2):
            save(f"set/{name}/images/{number}.png", random.integers(0, 256, (9, 9), dtype=np.uint8))
            save(f"set/{name}/masks/{number}.png", np.full((6, 6), 255, np.uint8))
    assert import_folders([tmp_path / "set"], "set").counts() == {"COVID": 2, "Lung Opacity": 2, "NORMAL": 2}


COVIDX = """\ufeff5 a.PNG pneumonia cohen\r
5 b.jpg pneumonia cohen\r
\r
419639-003251 MIDRC-1.png COVID-19 ricord\r
419639-003251 MIDRC-1.png COVID-19 ricord\r
uuid-1 gone.png normal rsna\r
COVID-19 (7) COVID-19 (7).png COVID-19 sirm\r
uuid-2 no class.png\r
a line of words
"""


def test_covidx_line_of_many_words_is_not_read(put, tmp_path):
    put("COVIDx/train.txt", content="1 a.png normal cohen\n" + "p " * 60 + "x.png positive\n")
    put("COVIDx/train/a.png")
    assert "COVIDx/train.txt: lines that cannot be read: 1, for example line 2" in _notes(_read(tmp_path))


def test_covidx_lists(put, tmp_path):
    put("data/COVIDx/train.txt", content=COVIDX)
    put("data/COVIDx/test.txt", content="5 t.png normal cohen\nuuid-3 A.png normal\n")
    put(*(f"data/COVIDx/train/{name}" for name in ("a.png", "b.jpg", "MIDRC-1.png", "COVID-19 (7).png", "more.png")))
    put("data/COVIDx/test/t.png", "data/COVIDx/test/a.png")
    reading = _read(tmp_path / "data")
    assert reading.layout == "covidx" and len(reading.rows) == 8
    assert reading.rows["left_out"].tolist() == ["", "", "", "repeated", "missing", "", "", ""]
    assert reading.rows["given_split"].tolist() == ["train"] * 6 + ["test"] * 2
    used = reading.rows[reading.rows["left_out"] == ""]
    assert used["finding"].value_counts().to_dict() == {"pneumonia": 2, "COVID-19": 2, "normal": 2}
    assert used["patient"].tolist() == [
        *("cohen:5", "cohen:5", "ricord:419639-003251", "sirm:COVID-19 (7)", "cohen:5", "COVIDx:uuid-3"),
    ]
    assert [path.split("COVIDx/")[1] for path in used["path"]] == [
        *("train/a.png", "train/b.jpg", "train/MIDRC-1.png", "train/COVID-19 (7).png", "test/t.png", "test/a.png"),
    ]
    assert _notes(reading) == [
        "COVIDx/train.txt: lines that cannot be read: 2, for example line 8",
        f"{tmp_path}/data: images without a label: 1, for example COVIDx/train/more.png",
    ]


def test_covidx_versions_of_lists(put, tmp_path):
    """The lists lie in a folder of their own, as in the authors' repository."""
    put("set/labels/train_COVIDx8B.txt", content="1 a.png positive x\n")
    put("set/labels/train_COVIDx9B.txt", content="1 a.png negative x\n")
    put("set/labels/test_COVIDx9B.txt", content="2 b.png positive x\n")
    put("set/data/train/a.png", "set/data/test/b.png")
    reading = _read(tmp_path / "set")
    # "negative" alone is a usual name of no finding, but these images may show another pneumonia.
    assert reading.rows["finding"].tolist() == ["COVID-19 negative", "COVID-19 positive"]
    assert reading.rows["left_out"].tolist() == ["", ""]
    assert _notes(reading) == [
        "The lists labels/test_COVIDx9B.txt, labels/train_COVIDx9B.txt are read, and other versions are not: "
        "labels/train_COVIDx8B.txt"
    ]


def test_lists_of_other_sets_are_not_covidx(put, tmp_path):
    put("set/train_val_list.txt", content="a.png\n")
    put("set/NORMAL/a.png", "set/TB/b.png")
    assert _read(tmp_path / "set").layout == "class folders"


LABELS = """\ufeffTarget,patientId,x,y,width,height\r
1,p1,264.0,152,213,379\r
1,p1,562,152.5,256,453\r
1,p1,264,152,213,379\r
0,p2,,,,\r
\r
1,P3,10,20,30,\r
1,P3,1,2,3,4\r
0,p4,,,,\r
0,gone,,,,\r
maybe,p5,,,,\r
0,p6\r
1,p7,a,b,c,d\r
1,p7,1,2,0,4\r
"""
DETAILED = """class,patientId
Lung Opacity,p1
Lung Opacity,p1
Normal,p2
Lung Opacity,P3
Lung Opacity,P3
Normal,p4
No Lung Opacity / Not Normal,p4
Normal,gone
Normal,not listed
,p7
"""


@pytest.fixture
def pneumonia(put):
    """The challenge's files, with the labels downloaded as a ZIP of their own."""
    place = "rsna-pneumonia-detection-challenge"
    put(f"{place}/stage_2_train_labels.csv/stage_2_train_labels.csv", content=LABELS)
    put(*(f"{place}/stage_2_train_images/{name}.dcm" for name in ("p1", "p2", "p3", "p4", "p7", "p8")))
    put(f"{place}/stage_2_test_images/t1.dcm", f"{place}/stage_2_test_images/p1.dcm")
    put(f"{place}/stage_2_sample_submission.csv", content="patientId,PredictionString\nt1,0.5 0 0 100 100\n")
    return place


def test_rsna_with_detailed_classes(put, pneumonia, tmp_path):
    put(f"{pneumonia}/stage_2_detailed_class_info.csv", content=DETAILED)
    reading = _read(tmp_path)
    assert reading.layout == "rsna"
    rows = _rows(reading)
    assert {name: row["finding"] for name, row in rows.items()} == {
        "p1.dcm": "Lung Opacity",
        "p2.dcm": "Normal",
        "p3.dcm": "Lung Opacity",
        "p4.dcm": "Normal",
        "gone.dcm": "Normal",
        "p7.dcm": "Lung Opacity",
    }
    assert {name: row["left_out"] for name, row in rows.items() if row["left_out"]} == {
        "p4.dcm": "conflict",
        "gone.dcm": "missing",
    }
    assert "/stage_2_train_images/p1.dcm" in rows["p1.dcm"]["path"]
    assert json.loads(rows["p1.dcm"]["boxes"]) == [["", 264, 152, 213, 379], ["", 562, 152.5, 256, 453]]
    assert json.loads(rows["p3.dcm"]["boxes"]) == [["", 1, 2, 3, 4]]
    assert rows["p2.dcm"]["boxes"] == "" and rows["p7.dcm"]["boxes"] == ""
    assert rows["p1.dcm"]["patient"] == f"{pneumonia}:p1"
    assert _notes(reading) == [
        f"{pneumonia}/stage_2_train_labels.csv/stage_2_train_labels.csv: lines that cannot be read: 5, "
        "for example line 7",
        f"{pneumonia}/stage_2_detailed_class_info.csv: lines that cannot be read: 1, for example line 11",
        f"{tmp_path}: images without a label: 2, for example {pneumonia}/stage_2_test_images/t1.dcm",
    ]


def test_rsna_with_targets_only_and_patients_of_the_mappings(put, pneumonia, tmp_path):
    entries = [{"subset_img_id": f"p{k}", "img_id": f"0000001{k // 3}_00{k}.png"} for k in (1, 2, 3)]
    put(f"{pneumonia}/pneumonia-challenge-dataset-mappings_2018.json", content=json.dumps(entries))
    rows = _rows(_read(tmp_path))
    assert {name: row["finding"] for name, row in rows.items()} == {
        **dict.fromkeys(("p1.dcm", "p3.dcm", "p7.dcm"), "Lung Opacity"),
        **dict.fromkeys(("p2.dcm", "p4.dcm", "gone.dcm"), "No Lung Opacity"),
    }
    patients = [rows[f"{name}.dcm"]["patient"].split(":", 1)[1] for name in ("p1", "p2", "p3", "p4")]
    assert patients == ["00000010", "00000010", "00000011", "p4"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("patientId,x\na,1\n", r"lacks the columns target"),
        ("", r"lacks the columns patientid, target"),
        ('patientId,Target\n"' + "a" * 200_000, r"cannot be read as a table: field larger"),
    ],
)
def test_rsna_labels_of_another_form_are_refused(put, tmp_path, content, message):
    put("rsna/stage_2_train_labels.csv", content=content)
    put("rsna/stage_2_train_images/a.dcm")
    with pytest.raises(UserError, match=message):
        _read(tmp_path)


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a": 1}', '[{"img_id": 1}]', "\udcff"])
def test_rsna_mappings_of_another_form_are_not_used(put, pneumonia, tmp_path, content):
    put(f"{pneumonia}/mappings.json", content=content.encode(errors="surrogateescape"))
    assert _rows(_read(tmp_path))["p1.dcm"]["patient"] == f"{pneumonia}:p1"


@pytest.mark.filterwarnings("ignore:Invalid value for VR AS")  # the set writes ages without a unit
def test_rsna_dicom_files_are_imported_with_sex_age_and_view(put, tmp_path):
    put("rsna/stage_2_train_labels.csv", content="patientId,x,y,width,height,Target\na,1,2,3,4,1\nb,,,,,0\nc,,,,,0\n")
    for name, view in (("a", "AP"), ("b", "PA"), ("c", "LL")):
        pixels = np.random.default_rng(ord(name)).integers(0, 256, (9, 9), dtype=np.uint8)
        file = radiograph(pixels, bits=8, PatientID=name, PatientSex="F", PatientAge="51", ViewPosition=view)
        put(f"rsna/stage_2_train_images/{name}.dcm", content=file)
    data = import_folders([tmp_path / "rsna"], "rsna")
    assert data.counts() == {"Lung Opacity": 1, "No Lung Opacity": 1} and data.left_out_counts() == {"view": 1}
    assert data.usable["patient"].tolist() == ["rsna:a", "rsna:b"]
    assert set(data.usable["age"]) == {"40-59"} and set(data.usable["sex"]) == {"F"}


def test_shenzhen_with_readings_and_masks(put, tmp_path):
    place = "ChinaSet_AllFiles"
    put(*(f"{place}/CXR_png/CHNCXR_{name}.png" for name in ("0001_0", "0002_0", "0327_1", "0328_1")))
    put(f"{place}/test/CHNCXR_0002_0.png", content=b"the image, written again")
    put(f"{place}/CXR_png/logo.png", f"{place}/NLM-ChinaCXRSet-ReadMe.docx", f"{place}/CXR_png/Thumbs.db")
    put(f"{place}/mask/CHNCXR_0001_0_mask.png", f"{place}/mask/CHNCXR_0327_1_mask.png")
    put(f"{place}/ClinicalReadings/CHNCXR_0001_0.txt", content="male 45yrs\nnormal\n")
    put(f"{place}/ClinicalReadings/chncxr_0002_0.TXT", content="\ufeffFemale, 28 years\r\nnormal\r\n")
    put(f"{place}/ClinicalReadings/CHNCXR_0327_1.txt", content="femal 16month\nright PTB, 2 mm nodules\n")
    put(f"{place}/ClinicalReadings/CHNCXR_0328_1.txt", content=b"\xff\xfe?")
    reading = _read(tmp_path)
    assert reading.layout == "tuberculosis"
    columns = ["finding", "patient", "source", "sex", "age", "left_out"]
    assert reading.rows[columns].to_numpy().tolist() == [
        ["Normal", "Shenzhen:0001", "Shenzhen", "M", "40-59", ""],
        ["Normal", "Shenzhen:0002", "Shenzhen", "F", "18-39", ""],
        ["Tuberculosis", "Shenzhen:0327", "Shenzhen", "F", "0-17", ""],
        ["Tuberculosis", "Shenzhen:0328", "Shenzhen", "", "", ""],
        ["Normal", "Shenzhen:0002", "Shenzhen", "F", "18-39", "repeated"],
    ]
    assert [len(files) for files in reading.rows["lungs"]] == [1, 0, 1, 0, 0]
    assert _notes(reading) == [f"{tmp_path}: images without a label: 1, for example {place}/CXR_png/logo.png"]


def test_montgomery_has_a_mask_of_each_lung(put, tmp_path):
    place = "NLM/MontgomerySet"
    put(f"{place}/x-rays/MCUCXR_0001_0.png", f"{place}/x-rays/MCUCXR_0104_1.png")  # CXR_png/ in the original
    for side in ("leftMask", "rightMask"):
        put(f"{place}/ManualMask/{side}/MCUCXR_0001_0.png")
    put(f"{place}/ManualMask/leftMask/MCUCXR_0104_1.png")
    put(f"{place}/ClinicalReadings/MCUCXR_0001_0.txt", content="Patient's Sex: F \nPatient's Age: 027Y\nnormal\n")
    reading = _read(tmp_path / "NLM")
    assert reading.rows["patient"].tolist() == ["Montgomery:0001", "Montgomery:0104"]
    assert reading.rows["sex"].tolist() == ["F", ""] and reading.rows["age"].tolist() == ["18-39", ""]
    assert [[file.path.parent.name for file in files] for files in reading.rows["lungs"]] == [
        ["leftMask", "rightMask"],
        ["leftMask"],
    ]
    assert not reading.notes


def test_shenzhen_and_montgomery_in_one_archive(tmp_path):
    """As in the set of both that is called "Chest X-ray Masks and Labels"."""
    names = ["CXR_png/CHNCXR_0001_0.png", "CXR_png/MCUCXR_0001_0.png", "CXR_png/MCUCXR_0104_1.png"]
    names += ["masks/CHNCXR_0001_0_mask.png", "masks/MCUCXR_0001_0.png", "test/CHNCXR_0001_0.png"]
    file = tmp_path / "chest-xray-masks-and-labels.zip"
    file.write_bytes(zipped({f"Lung Segmentation/{name}": b"an image" for name in names}))
    reading = _read(file)
    assert reading.rows["source"].tolist() == ["Shenzhen", "Montgomery", "Montgomery", "Shenzhen"]
    assert reading.rows["left_out"].tolist() == ["", "", "", "repeated"]
    assert [len(files) for files in reading.rows["lungs"]] == [1, 1, 0, 0] and not reading.notes


def test_class_folders_of_shenzhen_images_stay_class_folders(put, tmp_path):
    put("set/TB/CHNCXR_0327_1.png", "set/NORMAL/CHNCXR_0001_0.png", "set/NORMAL/CHNCXR_0002_0.png")
    reading = _read(tmp_path / "set")
    assert reading.layout == "class folders" and reading.rows["finding"].tolist() == ["NORMAL", "NORMAL", "TB"]
