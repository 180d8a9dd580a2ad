"""Tables of more columns than any list of images has."""

import gzip

import numpy as np
import pytest

from cxrcore.data.archive import File
from cxrcore.data.file_tree import FileTree
from cxrcore.data.importing import import_folders
from cxrcore.data.readers import base, covid_chestxray, label_table, lists
from cxrcore.errors import UserError

READERS = {
    "one table": covid_chestxray.read_csv,
    "several labels": label_table.read_table,
    "lines": lambda tree, name: lists.table(tree, name, ()),
}
COLUMNS = 200_000
NAMES = ",".join(f"c{k}" for k in range(COLUMNS))
WIDE = {
    "a header": f"path,label,{NAMES}\na.png,COVID\n",
    "a header without names": "," * COLUMNS + "\na.png,COVID\n",
    "a header after blank lines": f"\n \n{NAMES}\n",
    "a header over many lines": ",".join(f'"c\n{k}"' for k in range(COLUMNS)) + "\n",
    "a first row": f"path,label\n{NAMES}\n",
}


def tree(content, name="list.csv"):
    return FileTree("some", "some", {name: File(lambda: content, "mark")})


@pytest.mark.parametrize("wide", WIDE)
@pytest.mark.parametrize("reader", READERS)
def test_wide_table_is_refused_before_it_is_parsed(reader, wide, monkeypatch):
    monkeypatch.setattr("pandas.read_csv", None)
    with pytest.raises(UserError, match=r"list.csv has 200,00\d columns; tables of at most 5,000 are read"):
        READERS[reader](tree(WIDE[wide].encode()), "list.csv")


@pytest.mark.parametrize("reader", READERS)
def test_table_of_the_most_columns_is_read(reader):
    names = [f"c{k}" for k in range(base.MAX_COLUMNS)]
    lines = [",".join(names), ",".join("x" for _ in names)]
    READERS[reader](tree("\n".join(lines).encode()), "list.csv")
    with pytest.raises(UserError, match="5,001 columns"):
        READERS[reader](tree("\n".join(line + ",x" for line in lines).encode()), "list.csv")


def test_wide_compressed_table_is_refused():
    packed = gzip.compress(WIDE["a header"].encode())
    with pytest.raises(UserError, match="200,002 columns"):
        label_table.read_table(tree(packed, "list.csv.gz"), "list.csv.gz")


@pytest.mark.parametrize("reader", READERS)
def test_header_that_no_line_of_a_csv_can_hold_is_refused(reader):
    with pytest.raises(UserError, match=r"list\.csv cannot be read as a table: field larger than"):
        READERS[reader](tree(b'"' + b"x" * 200_000 + b'",' + NAMES.encode()), "list.csv")


@pytest.mark.parametrize("name", ["metadata.csv", "list.csv"])
def test_import_of_a_wide_table_is_refused(name, save, tmp_path):
    save("images/a.png", np.zeros((8, 8), np.uint8))
    file = tmp_path / name
    file.write_text(f"path,label,patientid,finding,view,modality,filename,{NAMES}\n")
    with pytest.raises(UserError, match="200,007 columns"):
        import_folders([file], "wide")
