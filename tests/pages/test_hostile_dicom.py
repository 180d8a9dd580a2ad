"""DICOM files whose every text is hostile, from the file to the PDF."""

import csv
import io
import re

import numpy as np
import streamlit as st
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pypdf import PdfReader

from cxrcore import runs
from cxrcore.audits.dataset import audit
from cxrcore.config import run_config
from cxrcore.data import dataset
from cxrcore.data.importing import import_folders
from cxrcore.progress import ignore
from cxrcore.reports import artifacts
from cxrcore.reports.run_summary import RunSummary
from cxrcore.training import pipeline
from tests.data.dicom_files import radiograph
from tests.pages import walk

VALUES = [
    "![{}](https://host.example/t.png) `tick` www.host.example :red[{}]",
    "<img src=x onerror=alert(1)><a href='//host.example'>{}</a>",
    "=cmd|' /C calc'!A0 {}",
    "\u202e{}\u2066 @SUM(1)",
    "{}" + "A" * 10_000,
    "A\0{}\0\x1b[31m\r\nB",
]
# Of these the program keeps a hash, a code, a band of ages, or nothing; the view is named where it is not frontal.
KEPT_AS_CODES = ["PatientID", "PatientSex", "PatientAge", "BurnedInAnnotation"]
NOT_READ = [
    "PatientName", "StudyDescription", "SeriesDescription", "Manufacturer", "InstitutionName", "ImageComments",
    "BodyPartExamined", "AccessionNumber", "ReferringPhysicianName", "ProtocolName",
]  # fmt: skip
HEADER, VIEW = "zqxheader", "zqxview"
HOSTILE_CLASS = "=cmd|' C'!A0 <img src=x onerror=alert(1)>"
FORMULA = re.compile(r"[\s\u2066-\u2069\u202a-\u202e]*[-=+@]")


def _file(number, light, **texts):
    """Return a small radiograph; `texts` are written as text of any length, in UTF-8."""
    pixels = np.clip(np.random.default_rng(number).normal(60 + 100 * light, 20, (48, 48)), 0, 255)
    elements = {name: DataElement(tag_for_keyword(name), "UT", text) for name, text in texts.items()}
    return radiograph(pixels.astype(np.uint8), bits=8, SpecificCharacterSet="ISO_IR 192", **elements)


def _write(folder):
    """Write 24 images in use of two classes, 6 of a hostile view and 6 of a hostile modality, named like the values."""
    number = 0
    for light, label in enumerate((HOSTILE_CLASS, "NORMAL")):
        (folder / label).mkdir(parents=True)
        for repeat in range(3):
            for value in VALUES:
                text = value.replace("{}", HEADER)
                texts = dict.fromkeys([*KEPT_AS_CODES, *NOT_READ], text)
                if repeat == 2:
                    field = "Modality" if light else "ViewPosition"
                    texts[field] = value.replace("{}", HEADER if light else VIEW)
                name = re.sub(r"[/\0-\x1f]", "_", value.replace("{}", "x"))[:60]
                number += 1
                (folder / label / f"{name} {number}.dcm").write_bytes(_file(number, light, **texts))


def _cells(text):
    return [cell for row in csv.reader(io.StringIO(text)) for cell in row]


def test_hostile_fields_are_text_everywhere_from_the_file_to_the_pdf(home, tmp_path, open_page, monkeypatch):
    _write(tmp_path / "scans")
    data = import_folders([tmp_path / "scans"], "hostile")
    assert data.counts() == {HOSTILE_CLASS: 12, "NORMAL": 12}
    assert data.left_out["left_out"].value_counts().to_dict() == {"view": 6, "modality": 6}
    used = data.usable
    assert set(used["sex"]) | set(used["age"]) | set(used["burned_in"]) | set(used["view"]) == {""}
    assert used["patient"].str.fullmatch("dicom:[0-9a-f]{16}").all() and used["patient"].nunique() == len(VALUES)
    audit.run(data)
    config = run_config.make(dataset="hostile", size=64, head="gap", epochs=2)
    run = pipeline.run(config, runs.create(config).folder)

    saved, shown = {}, []
    monkeypatch.setattr(st, "download_button", lambda label, data, name, *_, **__: saved.update({name: data}) and None)
    first = {"sample": str(run.predictions("test").index[0])}
    for page, query in [
        *(("data", {"view": view}) for view in ("Overview", "Images", "Audit")),
        ("data", {"view": "Images", "use": "left out", "sample": str(int(data.left_out["row"].iloc[0]))}),
        *(("results", {"run": run.name, "tab": tab}) for tab in ("Metrics", "Errors")),
        ("results", {"run": run.name, "tab": "Images"} | first),
    ]:  # fmt: skip
        test = open_page(page, **query)
        if query.get("view") == "Overview":
            test.session_state["left out"] = True
            test.run()
        shown += [(page, query, place, text) for place, text in walk.texts(test)]
    assert [(each[:3], found.group()) for each in shown if (found := walk.live(*each[2:]))] == []
    everything = "\n".join(text for *_, text in shown)
    assert HEADER not in everything and everything.count(VIEW) >= 2 * len(VALUES)
    assert "A" * 200 not in everything and not re.search(r"[\0\x1b]|\\u0000|\\u001b", everything)

    files = {
        key: artifacts.make(artifacts.ARTIFACTS[key], RunSummary(run), ignore)
        for key in ("html", "pdf", "card", "csv", "config")
    }
    assert not re.search(rb"<img src=x|(src|href)=.?(https?:)?//host", files["html"])
    assert not re.search(rb"/URI|/JavaScript|/Launch|/OpenAction", files["pdf"])
    words = "".join(page.extract_text() for page in PdfReader(io.BytesIO(files["pdf"])).pages)
    assert "True: NORMAL" in words and "<img src=x" in words
    assert not re.search(r"(?<!\\)!\[|(?<!\\)`tick|(?<!\\)<img", files["card"].decode())
    tables = [files["csv"].decode(), *(data() for name, data in saved.items() if name.endswith(".csv"))]
    assert "left-out.csv" in saved and "'" + HOSTILE_CLASS in _cells(files["csv"].decode())
    assert [
        cell
        for text in tables
        for cell in _cells(text)
        if FORMULA.match(cell) and not re.fullmatch(r"-[\d.e+-]+", cell)
    ] == []
    on_disk = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    for kept in (HEADER.encode(), VIEW.encode()):
        assert kept not in b"".join([*files.values(), on_disk])
    assert dataset.load("hostile").left_out["left_out_reason"].str.len().max() < 500
