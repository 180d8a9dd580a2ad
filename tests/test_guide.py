"""What the guide in docs/ names exists: commands, links, labels of the screen. Its generated pages are current."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from cxrcore import i18n
from scripts import screenshots, write_reference

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "decisions" not in path.parts)
IDS = [str(path.relative_to(DOCS)) for path in PAGES]
TAUGHT = [path for path in PAGES if path.parent.name in ("docs", "how-to", "pt")]
# Pages of the guide whose bold words are labels of the dashboard; the others are from before it.
OTHERS = ("data.md", "lungs.md", "methods.md", "reliability.md", "scaling.md", "serving.md", "threat-model.md")
LABELLED = [path for path in TAUGHT if path.name not in OTHERS]
COMMANDS = dict(write_reference.options_by_command())


@pytest.mark.parametrize("page", write_reference.pages(), ids=lambda page: page.name)
def test_page_is_what_the_code_writes(page):
    assert page.read_text() == write_reference.pages()[page], "run `make readme`"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_exist_with_their_options(page):
    for line in re.findall(r"^\s*(cxr .*?)\s*(?:#.*)?$", page.read_text(), re.MULTILINE):
        if "[OPTIONS]" in line:  # a usage line of the reference
            continue
        names = [name for name in COMMANDS if f"{line} ".startswith(f"{name} ")]
        assert names, line
        for option in re.findall(r"(?<= )--[a-z0-9-]+", re.sub(r'"[^"]*"', "", line)):
            assert option in COMMANDS[max(names, key=len)], (line, option)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_and_pictures_exist(page):
    for link in re.findall(r"\]\(((?!https?:)[^)#]+)", page.read_text()):
        assert (page.parent / link).is_file(), link


def test_navigation_has_every_page():
    nav = str(yaml.safe_load((DOCS.parent / "mkdocs.yml").read_text())["nav"])
    assert {page for page in IDS if f"'{page}'" not in nav} == set()


def test_portuguese_has_the_same_tutorial_and_how_tos():
    english = {path.relative_to(DOCS) for path in LABELLED if "pt" not in path.parts}
    portuguese = {path.relative_to(DOCS / "pt") for path in LABELLED if "pt" in path.parts}
    assert english == portuguese


@pytest.mark.parametrize("page", LABELLED, ids=lambda page: str(page.relative_to(DOCS)))
def test_words_in_bold_are_on_the_screen(page):
    code = "pt" if "pt" in page.parts else "en"
    i18n.use("pt")
    shown = {i18n.t(text) if code == "pt" else text for text in _texts()}
    i18n.use("en")
    for label in re.findall(r"\*\*([^*]+)\*\*", page.read_text()):
        assert label in shown or label.endswith(".") or label in ("bold", "negrito"), label


@cache
def _texts():
    """Return the texts of the code: the constant strings."""
    code = [path for folder in ("cxrcore", "pages") for path in (DOCS.parent / folder).rglob("*.py")]
    nodes = [node for path in code for node in ast.walk(ast.parse(path.read_text()))]
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_picture_of_the_guide_is_made_by_the_script():
    used = {name for page in PAGES for name in re.findall(r"images/([\w-]+)-(?:en|pt)\.png", page.read_text())}
    assert used == set(screenshots.IN_DOCS)
    assert set(screenshots.IN_DOCS) <= set(screenshots.VIEWS) | set(screenshots.EMPTY)
