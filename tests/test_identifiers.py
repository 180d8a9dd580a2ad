"""No name of a person from headers, file names, folders or lists is on disk in the clear, in a log or in an export."""

import base64
import contextlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image, PngImagePlugin
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid
from pypdf import PdfReader

from cxrcore import logs, runs, schema, sealing
from cxrcore.audits.dataset import audit
from cxrcore.config import run_config
from cxrcore.data import dataset, editing
from cxrcore.data.file_tree import of_uploads, open_file_tree
from cxrcore.data.images import Upload, decode
from cxrcore.data.importing import ImportOptions, import_folders, import_trees
from cxrcore.data.mapping import Choices
from cxrcore.errors import UserError
from cxrcore.evaluation import external
from cxrcore.jobs import tasks, worker
from cxrcore.messages import msg, nameless
from cxrcore.progress import ignore_stages
from cxrcore.reports import artifacts
from cxrcore.reports.run_summary import RunSummary
from cxrcore.training import pipeline

NAME = "Zqxsilva"


def _patterns():
    """Yield the name as it may be written: in letters of any case, in UTF-16, hexadecimal and base64."""
    for text in (NAME, NAME.upper(), NAME.lower()):
        for code in (text.encode(), text.encode("utf-16-le")):
            yield code
            yield code.hex().encode()
            # Bytes in the middle are the same whatever stands before and after.
            yield from (base64.b64encode(b"x" * k + code)[4:-4] for k in range(3))


PATTERNS = tuple(_patterns())


def _contents(name, content):
    """Yield the bytes of a file and, where it is an archive, a table, a picture or a PDF, of what is in it."""
    yield name, name.encode() + b"\n" + content
    if content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield from _contents(f"{name}/{member}", archive.read(member))
    elif content[:4] == b"PAR1":
        schema_of = pq.read_schema(io.BytesIO(content))
        sealed = json.loads((schema_of.metadata or {}).get(b"sealed", b"[]"))
        plain = pq.read_table(io.BytesIO(content), columns=[found for found in schema_of.names if found not in sealed])
        yield f"{name} in plain", (plain.to_pandas().to_csv() + str(schema_of.metadata)).encode()
    elif content[:4] == b"%PDF":
        reader = PdfReader(io.BytesIO(content))
        yield f"{name} in plain", (" ".join(p.extract_text() for p in reader.pages) + str(reader.metadata)).encode()
    elif content[:4] in (b"\x89PNG", b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xe1"):
        yield f"{name} in plain", str(Image.open(io.BytesIO(content)).info).encode()


def _found(files):
    return [
        name
        for given, content in files
        for name, plain in _contents(given, content)
        if any(pattern in plain for pattern in PATTERNS)
    ]


def _on_disk(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path.relative_to(folder).as_posix(), path.read_bytes()) for path in files]


def _pixels(seed, light):
    return np.clip(np.random.default_rng(seed).normal(90 + 80 * light, 30, (64, 64)), 0, 255).astype(np.uint8)


def _png(pixels):
    buffer, texts = io.BytesIO(), PngImagePlugin.PngInfo()
    texts.add_text("Author", NAME)
    texts.add_text("Comment", f"{NAME} " * 50, zip=True)
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=texts)
    return buffer.getvalue() + NAME.encode()


def _jpeg(pixels, orientation=1):
    exif = Image.Exif()
    exif[0x010E], exif[0x013B], exif[0x0112] = NAME, NAME, orientation
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", exif=exif, comment=NAME, quality=95)
    return buffer.getvalue()


def _dicom(pixels, number):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    header.PatientName, header.PatientID = f"{NAME.upper()}^MARIA", f"{NAME}{number}"
    header.InstitutionName = header.ReferringPhysicianName = header.StudyDescription = NAME
    header.AccessionNumber, header.PatientBirthDate, header.PatientSex = NAME, "19700101", "F"
    header.add_new(0x00091001, "LO", NAME)
    header.Modality, header.ViewPosition = "DX", "PA"
    header.Rows, header.Columns = pixels.shape
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit, header.PixelRepresentation = 7, 0
    header.PixelData = pixels.tobytes()
    buffer = io.BytesIO()
    header.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _files(first=0):
    """Return 24 images of two classes and more that are left out, in folders and files named after people."""
    found = {}
    for k in range(24):
        pixels, folder = _pixels(first + k, k % 2), ("COVID", "NORMAL")[k % 2]
        made = (_png(pixels), ".png") if k % 3 else (_jpeg(pixels), ".jpg")
        made = made if k < 18 else (_dicom(pixels, k), ".dcm")
        found[f"{folder}/{NAME} {k}{made[1]}"] = made[0]
    found[f"{NAME} ward/{NAME} a.png"] = _png(_pixels(first + 50, 0))
    found[f"COVID/{NAME} damaged.png"] = _png(_pixels(first + 51, 0))[:200]
    return found


def _write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def _zip(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{NAME}/{name}", content)
    return buffer.getvalue()


LEFT_OUT = ImportOptions(Choices(leave_out=[f"{NAME} ward"]))


def _interrupt(done, total):
    if done == 5:
        raise KeyboardInterrupt


def _train(name):
    """Train as a worker process does; return its exit code and output."""
    config = run_config.make(dataset=name, size=64, head="gap", epochs=2)
    run = runs.create(config)
    config.write(run.folder / "config.json")
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = worker.main(run.folder)
    run.log(output.getvalue())
    return run, code


@pytest.fixture
def people(tmp_path):
    """A folder of images whose names, headers and folders name people."""
    return _write(tmp_path / f"{NAME} Maria" / "scans", _files())


def test_no_name_is_left_on_disk_in_logs_or_exports(home, people, tmp_path, capfd):
    with pytest.raises(KeyboardInterrupt):
        import_trees([open_file_tree(people)], "people", LEFT_OUT, _interrupt)
    assert _found(_on_disk(home)) == [] and list(home.glob("datasets/.importing-*/found.jsonl"))
    data = import_folders([people], "people", LEFT_OUT)
    assert data.counts() == {"COVID": 12, "NORMAL": 12} and NAME in data.table["path"][0] + data.table["finding"][25]
    (tmp_path / f"{NAME}.zip").write_bytes(_zip(_files(100)))
    import_folders([tmp_path / f"{NAME}.zip"], "packed", LEFT_OUT)
    uploads = [Upload(Path(name).name, content) for name, content in _files(200).items()]
    listed = pd.DataFrame({"image": [upload.name for upload in uploads], "label": (["COVID", "NORMAL"] * 13)[:26]})
    listed = listed.assign(patient=[f"{NAME}{k}" for k in range(26)], hospital=f"{NAME} clinic")
    _write(tmp_path / "table", {upload.name: upload.content for upload in uploads})
    listed.to_csv(tmp_path / "table" / f"{NAME}.csv", index=False)
    import_folders([tmp_path / "table" / f"{NAME}.csv"], "listed")
    import_trees([of_uploads([Upload(f"{NAME} up.zip", _zip(_files(300)))])], "uploaded", LEFT_OUT)
    editing.exclude("people", [0])
    editing.relabel("people", [1], "COVID")
    audit.run(dataset.load("people"))
    audit.run(dataset.load("listed"))
    run, code = _train("people")
    assert code == 0 and external.evaluate(run, "packed").metrics.n > 20
    assert tasks.main(run.folder, "shortcut") == 0
    archive = artifacts.zip_all(RunSummary(run), ignore_stages, [key for key in artifacts.ARTIFACTS if key != "tflite"])
    next(people.glob("NORMAL/*1.png")).write_bytes(b"damaged")
    editing.exclude("people", [2])
    tables = run.table
    assert tables["path"].str.contains(NAME).any()
    failed, code = _train("listed")
    assert code == 0
    for file in (tmp_path / "table").glob("*.png"):
        file.unlink()
    for cached in home.glob("features/*/*"):
        cached.unlink()
    broken, code = _train("listed")
    assert (
        code == 2 and NAME in str(broken.status.message) and "could be read when it was imported" in broken.log_tail()
    )
    assert tasks.main(failed.folder, "shortcut") == 2
    shown = capfd.readouterr()
    printed = [("stdout", shown.out.encode()), ("stderr", shown.err.encode())]
    assert _found([*_on_disk(home), ("run.zip", archive), *printed]) == []


def test_search_finds_a_name_in_every_place_it_is_planted_in(people):
    files = _on_disk(people)
    assert len(_found(files)) >= len(files)
    inside = [("x", _png(_pixels(0, 0))), ("x", _jpeg(_pixels(0, 0))), ("x", _dicom(_pixels(0, 0), 1)), ("x", _zip({}))]
    assert len(_found(inside[:3])) >= 3
    encoded = [base64.b64encode(b"a" * k + f"{NAME} Maria".encode()) for k in range(3)]
    assert len(_found([("x", code) for code in encoded])) == 3


def test_copied_images_lose_metadata_and_keep_their_pixels(home, tmp_path):
    turned = np.tile(np.arange(64, dtype=np.uint8)[:, None] * 3, (1, 48))
    files = _files() | {"NORMAL/turned.jpg": _jpeg(turned, orientation=6)}
    data = import_trees([of_uploads([Upload("up.zip", _zip(files))])], "uploaded", LEFT_OUT)
    used = data.usable.assign(before=[name for name in sorted(files) if "damaged" not in name and "ward" not in name])
    for path, before in zip(used["path"], used["before"], strict=True):
        assert np.array_equal(decode(Path(path).read_bytes()).grey(), decode(files[before]).grey()), before
        assert len(Path(path).stem) == 16
    assert sorted({Path(path).suffix for path in used["path"]}) == [".jpg", ".png"]


def test_without_its_key_a_dataset_opens_and_says_what_to_do(home, people, tmp_path, monkeypatch):
    import_folders([people], "people", LEFT_OUT)
    import_trees([of_uploads([Upload("up.zip", _zip(_files(100)))])], "uploaded", LEFT_OUT)
    monkeypatch.setenv("CXR_KEY_FILE", str(tmp_path / "other.key"))
    sealing.seal("a key of its own")
    for name, files in (("people", 0), ("uploaded", 24)):
        data = dataset.load(name)
        assert data.counts() == {"COVID": 12, "NORMAL": 12} and data.info.notes[-1] == sealing.NO_KEY
        assert sum(Path(path).is_file() for path in data.usable["path"]) == files
        with pytest.raises(UserError, match="Restore the key file"):
            pipeline.check(run_config.make(dataset=name, size=64))


def test_key_is_made_once_and_is_readable_by_its_owner_only(tmp_path, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setenv("CXR_KEY_FILE", str(tmp_path / "config" / "path.key"))
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(sealing.seal, map(str, range(40))))
    assert [sealing.unseal(token) for token in tokens] == [str(k) for k in range(40)]
    assert (tmp_path / "config" / "path.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "config").iterdir()] == ["path.key"]


def test_neutral_paths_need_no_key(tmp_path, monkeypatch):
    paths = ["images/0123456789abcdef.png", "datasets/a/images/covid_p001_0.png", "images/Maria.png", "/home/x/b.png"]
    schema.write_table(tmp_path / "t.parquet", pd.DataFrame({"path": paths, "patient": list("abcd"), "n": range(4)}))
    monkeypatch.setenv("CXR_KEY_FILE", str(tmp_path / "other.key"))
    found, _ = schema.read_table(tmp_path / "t.parquet")
    assert found["path"].tolist() == [*paths[:2], "no key/2", "no key/3"]
    assert found["patient"].tolist() == [f"no key/{k}" for k in range(4)] and found["n"].tolist() == [0, 1, 2, 3]


def test_table_of_an_earlier_version_opens_and_is_encrypted(tmp_path):
    path, table = tmp_path / "table.parquet", pd.DataFrame({"path": [f"/home/{NAME}.png"], "patient": [NAME], "n": [1]})
    table.to_parquet(path)
    assert _found([("t", path.read_bytes())])
    assert schema.read_table(path)[0].equals(table)
    assert schema.seal_table(path) and not schema.seal_table(path)
    assert _found([("t", path.read_bytes())]) == [] and schema.read_table(path)[0].equals(table)


def test_logs_have_no_text_of_errors():
    try:
        try:
            raise FileNotFoundError(2, "No such file", f"/home/{NAME}.png")
        except OSError as error:
            raise ValueError(NAME) from error
    except ValueError as error:
        text = logs.traceback_text(error)
    assert NAME not in text and text.endswith("ValueError") and "FileNotFoundError: No such file\n" in text
    message = msg("{path} has {n} pixels: {why}", path=f"/home/{NAME}.png", n=3, why=msg("it is {what}", what="small"))
    assert nameless(message) == "... has 3 pixels: it is ..."
