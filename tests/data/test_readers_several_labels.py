"""Sets whose images may have several labels: a miniature of each layout, with counts worked out by hand."""

import csv
import gzip
import json

import numpy as np
import pytest

from cxrcore.data import dataset, mapping
from cxrcore.data.file_tree import open_file_tree
from cxrcore.data.importing import ImportOptions, import_folders
from cxrcore.data.mapping import Choices
from cxrcore.data.readers import detect, label_table
from cxrcore.errors import UserError
from tests.data.dicom_files import radiograph


def _write(folder, files):
    """Write text or bytes below `folder`; a name ending in `.gz` is compressed."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)


def _table(columns, *lines):
    """Return a CSV of the lines, which are separated by commas, with the columns named in `columns` only."""
    return "\n".join([columns, *lines]) + "\n"


def _labels(names, **marks):
    """Return a line of CheXpert's labels."""
    return ",".join(marks.get(name.replace(" ", "_"), "") for name in names)


def _only(folder):
    (reading,) = detect.read(open_file_tree(folder))
    assert reading.several and str(reading.citation)
    return reading


def _left_out(mapped):
    found = mapped.table["left_out"]
    return found[found != ""].value_counts().to_dict()


def _found(mapped):
    return {finding.name: (finding.images, finding.patients, finding.uncertain) for finding in mapped.findings}


NIH_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
)
NIH_END = "2682,2749,0.143,0.143,"
NIH = {
    "Data_Entry_2017.csv": _table(NIH_HEADER, f"00000001_000.png,Hernia,0,1,58,M,PA,{NIH_END}"),
    "Data_Entry_2017_v2020.csv": _table(
        NIH_HEADER,
        f"00000001_000.png,Cardiomegaly|Effusion,0,1,58,M,PA,{NIH_END}",
        f"00000001_001.png,No Finding,1,1,58,M,PA,{NIH_END}",
        f"00000002_000.png,No Finding,0,2,081Y,F,AP,{NIH_END}",
        f"00000003_000.png,Infiltration,0,3,411,F,PA,{NIH_END}",
        f"00000003_001.png,Hernia|Infiltration|Hernia,1,3,12,F,PA,{NIH_END}",
        f"00000004_000.png,Cardiomegaly,0,4,30,F,PA,{NIH_END}",
        f"00000005_000.png,,0,5,30,F,PA,{NIH_END}",
        f"00000002_000.png,Cardiomegaly,0,2,81,F,AP,{NIH_END}",
        f"00000009_000.png,Cardiomegaly,0,9,81,F,AP,{NIH_END},too,many",
    ),
    "train_val_list.txt": "00000001_000.png\r\n00000001_001.png\r\n00000002_000.png\r\n",
    "test_list.txt": "00000003_000.png\n00000003_001.png\n00000004_000.png\n00000005_000.png",
    "BBox_List_2017.csv": _table(
        "Image Index,Finding Label,Bbox [x,y,w,h],,,",
        "00000001_000.png,Cardiomegaly,10.5,20,30,40,,,",
        "00000003_000.png,Infiltrate,1,2,3,4,,,",
        "00000003_000.png,Mass,left,2,3,4,,,",
    ),
}
NIH_IMAGES = ["00000001_000", "00000001_001", "00000002_000", "00000003_000", "00000003_001", "00000005_000"]
NIH_FILES = [f"images_{1 + k // 3:03d}/images/{name}.png" for k, name in enumerate(NIH_IMAGES)]


def test_chestxray14(tmp_path):
    _write(tmp_path / "nih", NIH | dict.fromkeys(NIH_FILES, b"pixels"))
    reading = _only(tmp_path / "nih")
    table = reading.rows
    assert table["path"][0] == str(tmp_path / "nih" / NIH_FILES[0])
    assert table["finding"].tolist()[:5] == [
        "Cardiomegaly|Effusion",
        "No Finding",
        "No Finding",
        "Infiltration",
        "Hernia|Infiltration",
    ]
    assert table["patient"].tolist()[:4] == ["ChestX-ray14:1", "ChestX-ray14:1", "ChestX-ray14:2", "ChestX-ray14:3"]
    assert table["age"].tolist()[:5] == ["40-59", "40-59", "80+", "", "0-17"]
    assert table["given_split"].tolist()[:7] == [*["train"] * 3, *["test"] * 4]
    assert json.loads(table["boxes"][0]) == [["Cardiomegaly", 10.5, 20.0, 30.0, 40.0]]
    assert json.loads(table["boxes"][3]) == [["Infiltration", 1.0, 2.0, 3.0, 4.0]] and table["boxes"][1] == ""
    assert [str(note).partition(":")[0] for note in reading.notes] == [
        "Data_Entry_2017_v2020.csv",
        "BBox_List_2017.csv",
    ]

    mapped = mapping.apply([reading], Choices(keep=["No Finding", "cardiomegaly"]))
    assert mapped.counts() == {"No Finding": 2, "Cardiomegaly": 1}
    assert _left_out(mapped) == {"finding": 3, "missing": 1, "repeated": 1}
    assert _found(mapped) == {
        "No Finding": (2, 2, 0),
        "Infiltration": (2, 1, 0),
        "Cardiomegaly": (1, 1, 0),
        "Effusion": (1, 1, 0),
        "Hernia": (1, 1, 0),
    }
    two = mapping.apply([reading], Choices({"Effusion": "Fluid", "Cardiomegaly": "Heart", "No Finding": "None"}))
    assert two.counts() == {"None": 2} and _left_out(two)["several"] == 1
    with pytest.raises(UserError, match=r"at least two classes.*No Finding \(2\)"):
        mapping.apply([reading]).check()


def test_other_images_beside_a_set_are_read_by_folder(tmp_path):
    _write(tmp_path, {f"nih/{name}": text for name, text in NIH.items()} | {f"nih/{NIH_FILES[1]}": b"pixels"})
    _write(tmp_path, {"other/TB/a.png": b"pixels", "other/NORMAL/b.png": b"pixels"})
    readings = detect.read(open_file_tree(tmp_path))
    assert [reading.layout for reading in readings] == ["ChestX-ray14", "class folders"]
    assert sorted(readings[1].rows["finding"]) == ["NORMAL", "TB"]


def test_list_of_boxes_that_cannot_be_read_is_noted(tmp_path):
    _write(tmp_path / "nih", NIH | {"BBox_List_2017.csv": "", NIH_FILES[0]: b"pixels"})
    reading = _only(tmp_path / "nih")
    assert "BBox_List_2017.csv cannot be read" in str(reading.notes[-1]) and set(reading.rows["boxes"]) == {""}


def test_set_without_any_image_is_refused(tmp_path):
    _write(tmp_path / "nih", NIH)
    with pytest.raises(UserError, match=r"None of the 8 images that Data_Entry.*is in .*00000001_000\.png"):
        detect.read(open_file_tree(tmp_path / "nih"))


FINDINGS = list(label_table.CHEXPERT_FINDINGS.values())
CHEXPERT_HEADER = "\ufeffPATH,Age,Note,Sex,Frontal/Lateral,AP/PA," + ",".join(FINDINGS)


def _chexpert(path, sex, age, view, **marks):
    kind = "Lateral" if "lateral" in path else "Frontal"
    return f"CheXpert-v1.0-small/{path},{age},free text,{sex},{kind},{view},{_labels(FINDINGS, **marks)}"


CHEXPERT = {
    "train.csv": _table(
        CHEXPERT_HEADER,
        _chexpert(
            "train/patient00001/study1/view1_frontal.jpg", "Female", 68, "AP", No_Finding="1.0", Support_Devices="1.0"
        ),
        _chexpert("train/patient00002/study1/view1_frontal.jpg", "Male", 91, "PA", Pneumonia="1.0", Edema="-1.0"),
        _chexpert("train/patient00002/study1/view2_lateral.jpg", "Male", 91, "AP", Pneumonia="1.0", Edema="-1.0"),
        _chexpert("train/patient00002/study2/view1_frontal.jpg", "Male", 91, "AP", Pneumonia="-1"),
        _chexpert("train/patient00003/study1/view1_frontal.jpg", "Unknown", 0, "AP"),
        _chexpert("train/patient00004/study1/view1_frontal.jpg", "Male", 20, "AP", Pneumonia="1.0"),
        _chexpert("train/patient00005/study1/view1_frontal.jpg", "Male", 20, "AP", Pneumonia="maybe", Edema="1"),
    ),
    "valid.csv": _table(
        "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Edema,Pneumonia",
        "CheXpert-v1.0-small/valid/patient64541/study1/view1_frontal.jpg,Female,50,Frontal,PA,0.0,1.0,0.0",
        "CheXpert-v1.0-small/valid/patient64542/study1/view1_frontal.jpg,Female,50,Frontal,LL,1.0,0.0,0.0",
        "CheXpert-v1.0-small/valid/patient64543/study1/view1_frontal.jpg,Female,50,Frontal,AP,1.0,0.0,0.0",
    ),
}
CHEXPERT_FILES = [
    "train/patient00001/study1/view1_frontal.jpg",
    "train/patient00002/study1/view1_frontal.jpg",
    "train/patient00002/study1/view2_lateral.jpg",
    "train/patient00002/study2/view1_frontal.jpg",
    "train/patient00003/study1/view1_frontal.jpg",
    "train/patient00005/study1/view1_frontal.jpg",
    "valid/patient64541/study1/view1_frontal.jpg",
    "valid/patient64542/study1/view1_frontal.jpg",
    "valid/patient64543/study1/view1_frontal.jpg",
]


@pytest.mark.parametrize("layout", ["the folder", "above it", "renamed", "batches"])
def test_chexpert_files_are_found_whatever_the_folders_are_named(tmp_path, layout):
    lists, images = CHEXPERT, dict.fromkeys(CHEXPERT_FILES, b"pixels")
    if layout == "batches":  # the full-size download: no folder train/ in the batches of training images
        first = "CheXpert-v1.0 batch 1 (validate & csv)"
        lists = {f"{first}/{name}": text for name, text in lists.items()}
        place = {"train": "CheXpert-v1.0 batch 2 (train 1)", "valid": f"{first}/valid"}
        images = {f"{place[name[:5]]}/{name[6:]}": content for name, content in images.items()}
    folder = "set" if layout in ("renamed", "batches") else "CheXpert-v1.0-small"
    _write(tmp_path / folder, lists | images)
    table = _only(tmp_path if layout == "above it" else tmp_path / folder).rows
    assert len(table) == 10 and (table["left_out"] == "missing").sum() == 1


@pytest.mark.parametrize(
    ("uncertain", "counts", "left_out"),
    [
        ("left out", {"Edema": 2, "No Finding": 2}, {"uncertain": 2, "view": 2, "finding": 1, "missing": 1}),
        (
            "positive",
            {"Edema": 2, "No Finding": 2, "Pneumonia": 1},
            {"several": 1, "view": 2, "finding": 1, "missing": 1},
        ),
        ("negative", {"Edema": 2, "No Finding": 2, "Pneumonia": 1}, {"view": 2, "finding": 2, "missing": 1}),
    ],
)
def test_chexpert(tmp_path, uncertain, counts, left_out):
    _write(tmp_path / "cx", CHEXPERT | dict.fromkeys(CHEXPERT_FILES, b"pixels"))
    reading = _only(tmp_path / "cx")
    table = reading.rows
    assert table["finding"].tolist()[:3] == ["No Finding|Support Devices", "Pneumonia", "Pneumonia"]
    assert table["uncertain"].tolist()[:4] == ["", "Edema", "Edema", "Pneumonia"]
    assert table["patient"].tolist()[:2] == ["CheXpert:patient00001", "CheXpert:patient00002"]
    assert table["sex"].tolist()[:5] == ["F", "M", "M", "M", ""] and table["age"].tolist()[:2] == ["60-79", "80+"]
    assert table["view"].tolist()[:3] == ["AP", "PA", "Lateral"] and table["view"][8] == "LL"
    assert table["given_split"].tolist() == [*["train"] * 7, *["validation"] * 3]
    assert [str(note) for note in reading.notes] == [
        "train.csv: 1 labels are none of 1, 0, -1 and blank, and count as blank, for example 'maybe'"
    ]
    mapped = mapping.apply([reading], Choices(keep=["No Finding", "Pneumonia", "Edema"], uncertain=uncertain))
    assert mapped.counts() == counts and _left_out(mapped) == left_out
    # Two images of one patient with an uncertain finding each; neither the lateral nor the missing image counts.
    assert _found(mapped)["Pneumonia"] == (1, 1, 1) and _found(mapped)["Edema"] == (2, 2, 1)


def test_chexpert_test_list_has_no_views(tmp_path):
    path = "test/patient64741/study1/view{}.jpg"
    text = _table("Path,No Finding,Edema", f"{path.format('1_frontal')},1,0", f"{path.format('2_lateral')},1,0")
    _write(
        tmp_path,
        {
            "test.csv": text,
            "test.csv.gz": text,
            path.format("1_frontal"): b"pixels",
            path.format("2_lateral"): b"pixels",
        },
    )
    table = _only(tmp_path).rows
    assert table["view"].tolist() == ["Frontal", "Lateral"] and table["left_out"].tolist() == ["", "view"]
    assert set(table["given_split"]) == {"test"}


def _mimic(suffix):
    head = "dicom_id,subject_id,study_id"
    return {
        f"mimic-cxr-2.0.0-metadata.csv{suffix}": _table(
            f"{head},ViewPosition,ViewCodeSequence_CodeMeaning",
            "d1,10000032,50000001,PA,postero-anterior",
            "d2,10000032,50000001,LATERAL,lateral",
            "d3,10000032,50000002,,postero-anterior",
            "d4,11000001,50000003,,",
            "d5,11000001,50000004,AP,antero-posterior",
            "d6,12000002,50000005,AP,antero-posterior",
            "d7,12000002,50000006,AP,antero-posterior",
            "d8,12000002,50000005,LL,left lateral",
        ),
        f"mimic-cxr-2.0.0-split.csv{suffix}": _table(
            f"{head},split",
            "d3,10000032,50000002,validate",
            "d1,10000032,50000001,train",
            "d6,12000002,50000005,test",
        ),
        f"mimic-cxr-2.0.0-chexpert.csv{suffix}": _table(
            "subject_id,study_id,No Finding,Pneumonia,Edema",
            "10000032,50000002,1.0,,",
            "10000032,50000001,,1.0,0.0",
            "10000032,50000001,1.0,,",
            "11000001,50000003,1.0,,",
            "12000002,50000005,,-1.0,",
            "12000002,50000006,1.0,,",
        ),
    }


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mimic_cxr_jpg(tmp_path, suffix):
    files = [
        "files/p10/p10000032/s50000001/d1.jpg",
        "files/p10/p10000032/s50000001/d2.jpg",
        "files/p10/p10000032/s50000002/d3.jpg",
        "files/p11/p11000001/s50000003/d4.jpg",
        "files/p11/p11000001/s50000004/d5.jpg",
        "files/p12/p12000002/s50000005/d6.jpg",
        "files/p12/p12000002/s50000005/d8.jpg",
    ]
    _write(tmp_path, _mimic(suffix) | dict.fromkeys(files, b"pixels"))
    reading = _only(tmp_path)
    table = reading.rows
    assert table["path"][6].endswith("files/p12/p12000002/s50000006/d7.jpg") and table["left_out"][6] == "missing"
    assert table["finding"].tolist() == [*["Pneumonia"] * 2, *["No Finding"] * 2, "", "", "No Finding", ""]
    assert table["uncertain"].tolist() == [*[""] * 5, "Pneumonia", "", "Pneumonia"]
    assert table["view"].tolist() == ["PA", "LATERAL", "PA", "", "AP", "AP", "AP", "LL"]
    assert table["given_split"].tolist() == ["train", "", "validation", "", "", "test", "", ""]
    assert table["patient"].nunique() == 3 and table["patient"][0] == "MIMIC-CXR-JPG:10000032"
    mapped = mapping.apply([reading], Choices(keep=["No Finding", "Pneumonia"]))
    assert mapped.counts() == {"Pneumonia": 1, "No Finding": 1}
    assert _left_out(mapped) == {"view": 3, "finding": 1, "uncertain": 1, "missing": 1}


def test_mimic_cxr_jpg_needs_labels(tmp_path):
    lists = {name: text for name, text in _mimic(".gz").items() if "chexpert" not in name}
    _write(tmp_path, lists | {"files/d1.jpg": b"pixels"})
    with pytest.raises(UserError, match=r"mimic-cxr-2\.0\.0-chexpert\.csv is missing"):
        detect.read(open_file_tree(tmp_path))


def test_compressed_list_of_too_many_bytes_is_refused(tmp_path, monkeypatch):
    _write(tmp_path, _mimic(".gz") | {"files/d1.jpg": b"pixels"})
    monkeypatch.setattr(label_table, "MAX_TABLE", 100)
    with pytest.raises(UserError, match=r"metadata\.csv\.gz' unpacks to over"):
        detect.read(open_file_tree(tmp_path))


def test_damaged_compressed_list_is_named(tmp_path):
    _write(tmp_path, _mimic(".gz") | {"files/d1.jpg": b"pixels"})
    path = tmp_path / "mimic-cxr-2.0.0-chexpert.csv.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"chexpert\.csv\.gz cannot be read as a table"):
        detect.read(open_file_tree(tmp_path))


VINDR = {
    "annotations/image_labels_train.csv": _table(
        "image_id,rad_id,Aortic enlargement,Nodule/Mass,Other diseases,No finding",
        "aa,R1,0,0,0,1",
        "aa,R2,0,0,0,1",
        "aa,R3,0,0,1,0",
        "bb,R1,0,1,0,0",
        "bb,R2,0,0,0,1",
        "bb,R2,0,0,0,1",
        "bb,R3,1,1,0,0",
        "cc,R1,1,0,0,0",
        "cc,R2,0,0,1,0",
        "cc,R3,0,0,0,1",
    ),
    "annotations/image_labels_test.csv": _table(
        "image_id,Aortic enlargement,Nodule/Mass,Other disease,No finding",
        "dd,1,0,1,0",
        "ee,0,0,0,1",
    ),
    "annotations/annotations_train.csv": _table(
        "image_id,rad_id,class_name,x_min,y_min,x_max,y_max",
        "aa,R1,No finding,,,,",
        "bb,R1,Nodule/Mass,1,2,5,9",
        "bb,R3,Nodule/Mass,1,2,6,8",
        "bb,R3,Aortic enlargement,0,0,3,3",
        "bb,R3,Nodule/Mass,9,2,6,8",
    ),
    "annotations/annotations_test.csv": _table(
        "image_id,class_name,x_min,y_min,x_max,y_max", "dd,Aortic enlargement,0,0,3.5,4"
    ),
}


def test_vindr_cxr(tmp_path):
    """Two of three radiologists say nothing found in aa and a nodule in bb; on cc all differ."""
    files = ["train/aa.dicom", "train/bb.dicom", "train/cc.dicom", "test/dd.dicom"]
    _write(tmp_path / "1.0.0", VINDR | dict.fromkeys(files, b"pixels"))
    reading = _only(tmp_path / "1.0.0")
    table = reading.rows
    assert [path[-14:] for path in table["path"]] == [*(f"/{name}"[-14:] for name in files), "/test/ee.dicom"]
    assert table["finding"].tolist() == [
        "No finding",
        "Nodule/Mass",
        "",
        "Aortic enlargement|Other diseases",
        "No finding",
    ]
    assert table["given_split"].tolist() == ["train", "train", "train", "test", "test"]
    assert [json.loads(text or "[]") for text in table["boxes"]] == [
        [],
        [["Nodule/Mass", 1, 2, 4, 7], ["Nodule/Mass", 1, 2, 5, 6]],
        [],
        [["Aortic enlargement", 0, 0, 3.5, 4]],
        [],
    ]
    assert [str(note) for note in reading.notes] == [
        "annotations/annotations_train.csv: 1 rows are not boxes and were ignored"
    ]
    mapped = mapping.apply([reading], Choices(keep=["No finding", "Nodule/Mass", "Aortic enlargement"]))
    assert mapped.counts() == {"No finding": 1, "Nodule/Mass": 1, "Aortic enlargement": 1}
    assert _left_out(mapped) == {"finding": 1, "missing": 1}


def test_vindr_cxr_of_kaggle(tmp_path):
    text = _table(
        "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max",
        "aa,No finding,14,R1,,,,",
        "aa,No finding,14,R2,,,,",
        "aa,Cardiomegaly,3,R3,1,1,2,2",
        "bb,Cardiomegaly,3,R3,1,2,3,5",
        "bb,Cardiomegaly,3,R1,1,2,3,4",
        "bb,Nodule/Mass,8,R2,1,2,3,4",
        "bb,Nodule/Mass,8,R2,5,6,7,8",
    )
    _write(tmp_path, {"train.csv": text, "train/aa.png": b"pixels", "train/bb.dicom": b"pixels"})
    table = _only(tmp_path).rows
    assert table["finding"].tolist() == ["No finding", "Cardiomegaly"]
    assert [len(json.loads(text or "[]")) for text in table["boxes"]] == [0, 2] and set(table["left_out"]) == {""}


PADCHEST = (
    ("1_a.png", "0", "20140915", "P1", "1950.0", "F", "PA", "['normal']"),
    ("1_b.png", "0", "20140915", "P1", "1950.0", "F", "L", "['normal']"),
    ("2_a.png", "12", "20100101", "P2", "1995.0", "M", "AP_horizontal", "['pneumonia', ' pleural effusion', '']"),
    ("3_a.png", "12", "20100101", "P3", "", "M", "AP", "['pneumonia', 'unchanged', 'pneumonia']"),
    ("4_a.png", "54", "20100101", "P4", "1950", "M", "COSTAL", "['rib fracture']"),
    ("5_a.png", "54", "", "P5", "1950", "", "PA", ""),
    ("6_a.png", "54", "20100101", "P6", "1950", "O", "PA", "['pneumonia'"),
    ("7_a.png", "54", "20100101", "P7", "1950", "O", "PA", "__import__('os').abort()"),
    ("8_a.png", "54", "20100101", "P8", "1950", "O", "", "['normal']"),
    ("9_a.png", "54", "20100101", "P9", "1950", "O", "PA", "['normal']"),
)


@pytest.mark.parametrize("flat", [True, False])
def test_padchest(tmp_path, flat):
    header = "ImageID,ImageDir,StudyDate_DICOM,PatientID,PatientBirth,PatientSex_DICOM,Projection,Labels,Report"
    path = tmp_path / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
    with path.open("w", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([header.split(","), *((*row, "un informe, con comas") for row in PADCHEST)])
    names = [row[0] if flat else f"{row[1]}/{row[0]}" for row in PADCHEST[:-1]]
    _write(tmp_path, dict.fromkeys(names, b"pixels"))
    reading = _only(tmp_path)
    table = reading.rows
    assert table["finding"].tolist()[:5] == [
        "normal",
        "normal",
        "pneumonia|pleural effusion",
        "pneumonia|unchanged",
        "rib fracture",
    ]
    assert set(table["finding"][5:8]) == {""}
    assert table["age"].tolist()[:4] == ["60-79", "60-79", "0-17", ""] and table["age"][5] == ""
    assert table["sex"].tolist()[:3] == ["F", "F", "M"] and table["patient"][0] == "PadChest:P1"
    assert [str(note).partition(",")[0].partition(": ")[2] for note in reading.notes] == [
        "2 labels are not a list of findings and count as blank"
    ]
    mapped = mapping.apply([reading], Choices(keep=["normal", "pneumonia"]))
    assert mapped.counts() == {"NORMAL": 1, "Pneumonia": 2}
    assert _left_out(mapped) == {"view": 3, "finding": 3, "missing": 1}


def test_brax(tmp_path):
    header = "Unnamed: 0,DicomPath,PngPath,PatientID,PatientSex,PatientAge,ViewPosition,No Finding,Pneumonia"
    text = _table(
        header,
        "0,Anonymized_DICOMs/id_1/a.dcm,images/id_1/a.png,id_1,F,85 or more,PA,1,",
        "1,Anonymized_DICOMs/id_1/b.dcm,images/id_1/b.png,id_1,F,85 or more,L,1,",
        "2,Anonymized_DICOMs/id_2/c0.dcm,images/id_2/c.png,id_2,M,55,AP,,1",
        "3,Anonymized_DICOMs/id_3/d.dcm,images/id_3/d.png,id_3,O,,PA,,-1",
        "4,Anonymized_DICOMs/id_4/e.dcm,images/id_4/e.png,id_4,M,20,PA,,1",
    )
    files = ["images/id_1/a.png", "images/id_1/b.png", "Anonymized_DICOMs/id_1/a.dcm", "Anonymized_DICOMs/id_2/c0.dcm"]
    _write(tmp_path, {"master_spreadsheet_update.csv": text} | dict.fromkeys([*files, "images/id_3/d.png"], b"pixels"))
    reading = _only(tmp_path)
    table = reading.rows
    assert table["path"].tolist()[:3] == [str(tmp_path / name) for name in (files[0], files[1], files[3])]
    assert table["age"].tolist()[:4] == ["80+", "80+", "40-59", ""] and table["sex"].tolist()[:4] == [
        "F",
        "F",
        "M",
        "O",
    ]
    mapped = mapping.apply([reading], Choices(keep=["No Finding", "Pneumonia"]))
    assert mapped.counts() == {"No Finding": 1, "Pneumonia": 1}
    assert _left_out(mapped) == {"view": 1, "uncertain": 1, "missing": 1}
    kept = mapping.apply([reading], Choices(keep=["No Finding", "Pneumonia"], uncertain="positive"))
    assert kept.counts() == {"No Finding": 1, "Pneumonia": 2}


def test_two_sets_are_imported_into_one_dataset(save, tmp_path):
    """PNG and DICOM files; "No Finding" and "No finding" are one class."""
    _write(tmp_path / "nih", NIH)
    _write(tmp_path / "vindr", VINDR)
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 12), dtype=np.uint8)
    for k, name in enumerate(NIH_FILES):
        save(f"nih/{name}", pixels[k])
    for k, name in enumerate(("train/aa", "train/bb", "train/cc", "test/dd")):
        header = {"PatientSex": "F", "PatientAge": "045Y", "ViewPosition": "AP"}
        _write(tmp_path / "vindr", {f"{name}.dicom": radiograph(pixels[6 + k], bits=8, **header)})
    choices = Choices({"Cardiomegaly": "Heart", "VinDr-CXR/Aortic enlargement": "Aorta"}, keep=["no finding"])
    data = import_folders([tmp_path / "nih", tmp_path / "vindr"], "both", ImportOptions(choices))
    assert data.counts() == {"NORMAL": 3, "Heart": 1, "Aorta": 1}
    assert data.left_out_counts() == {"finding": 5, "missing": 2, "repeated": 1}
    used = data.usable.set_index("label")
    assert used.loc["Aorta", "given_split"] == "test" and used.loc["Aorta", "format"] == "DICOM"
    assert used.loc["Aorta", "age"] == "40-59" and used.loc["Heart", "given_split"] == "train"
    assert used["patient"].nunique() == 4  # two of ChestX-ray14, and each image of VinDr-CXR alone
    assert {source.layout for source in dataset.load("both").info.sources} == {"ChestX-ray14", "VinDr-CXR"}
