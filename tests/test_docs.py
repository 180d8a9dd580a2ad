"""What the documents name exists."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cxrcore.cli import app
from cxrcore.features.backbones import BACKBONES
from cxrcore.settings import SETTINGS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def backbone_rows():
    kinds = {True: "downloaded once", False: "bundled, its own"}
    return [
        f"| `{b.key}` | {b.megabytes:g} | {b.rate:g} at {b.size} x {b.size} | "
        f"{kinds[b.download is not None]}, {b.licence} |"
        for b in BACKBONES.values()
    ]


def setting_rows():
    return [
        f"| `{name}` | {f'`{default}`' if default else ''} | {text} |" for name, (default, text) in SETTINGS.items()
    ]


@pytest.mark.parametrize("row", [*backbone_rows(), *setting_rows()])
def test_the_readmes_tables_are_those_of_the_code(row):
    assert row in README


def test_every_setting_named_exists():
    named = set(re.findall(r"CXR_[A-Z_]+", README))
    assert named == set(SETTINGS)


def test_every_setting_read_is_in_the_table():
    code = "\n".join(path.read_text() for path in (ROOT / "cxrcore").rglob("*.py"))
    assert set(re.findall(r"[\"'](CXR_[A-Z_]+)[\"']", code)) == set(SETTINGS)


@pytest.mark.parametrize("line", re.findall(r"^cxr (.*?)\s*(?:#.*)?$", README, re.MULTILINE))
def test_every_command_in_the_readme_exists_with_its_options(line):
    words = line.split()
    commands = [word for word in words[:2] if re.fullmatch("[a-z]+(-[a-z]+)*", word) and word != "latest"]
    while commands:
        result = CliRunner().invoke(app, [*commands, "--help"], terminal_width=200)
        if result.exit_code == 0:
            break
        commands.pop()
    assert commands, line
    for option in re.findall(r"--[a-z-]+", line):
        assert option in result.output, option


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_make_targets_and_files_named_exist(document):
    text = (ROOT / document).read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z]+)`?", text)) <= targets
    for path in re.findall(r"`((?:cxrcore|scripts|tests|docs|pages)/[\w./]+)`", text):
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\(((?!http)[^)]+)\)", text):
        assert (ROOT / link).exists(), link


def test_every_threat_names_the_files_of_its_tests():
    text = (ROOT / "docs" / "threat-model.md").read_text()
    tables = [table for table in text.split("\n\n") if "| tested in |" in table]
    rows = [line.split("|")[3].strip() for table in tables for line in table.splitlines()[2:]]
    named = re.findall(r"`(tests/[\w/]+\.py)`", " ".join(rows))
    assert len(rows) > 20 and [name for name in named if not (ROOT / name).is_file()] == []
    assert [row for row in rows if not row.startswith(("`tests/", "no test"))] == []


def test_every_test_named_in_reliability_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "docs" / "reliability.md").read_text())
    assert len(named) > 40
    assert [name for name in named if not (ROOT / name[0]).is_file()] == []
    assert [name for name in named if f"def {name[1]}" not in (ROOT / name[0]).read_text() and name[1]] == []
