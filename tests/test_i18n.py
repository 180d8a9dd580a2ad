"""The catalogue is whole, and numbers, dates and kept sentences come out in the reader's language."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from string import Formatter

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg

from cxrcore import i18n, runs
from cxrcore.audits.dataset import issues, outliers
from cxrcore.data.readers import table
from cxrcore.i18n import N_, format_number, nt, t, translate
from cxrcore.messages import msg
from cxrcore.training import pipeline
from cxrcore.ui import vocabulary
from tests.conftest import ROOT

KEYWORDS = {"t": None, "nt": (1, 2), "said": None, "UserError": None, "ImageError": None}


@pytest.fixture
def portuguese():
    i18n.use("pt")
    yield
    i18n.use("en")


def _in_the_code():
    with (ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    found = extract_from_dir(str(ROOT), methods, options, KEYWORDS)
    return {message for _, _, message, _, _ in found if message}


def _in_the_catalogue():
    return {message.id: message.string for message in i18n._texts("pt") if message.id}


def _fields(text):
    return sorted({name for _, name, _, _ in Formatter().parse(text) if name is not None})


def test_no_text_of_the_code_is_missing_in_the_catalogue_and_none_is_unused():
    code, catalogue = _in_the_code(), set(_in_the_catalogue())
    assert len(code) > 600
    assert code - catalogue == set()
    assert catalogue - code == set()


def test_every_translation_has_the_values_of_its_text():
    for text, translation in _in_the_catalogue().items():
        forms = zip(text, translation, strict=True) if isinstance(text, tuple) else [(text, translation)]
        for english, portuguese in forms:
            assert portuguese.strip(), english
            assert _fields(portuguese) == _fields(english), english
            assert portuguese.count("**") == english.count("**"), english


def test_every_word_that_is_kept_on_disk_is_in_the_catalogue():
    kept = {runs.QUEUED, runs.RUNNING, runs.FINISHED, runs.STOPPED, runs.FAILED, *pipeline.STAGES}
    kept |= {*issues.KINDS, *outliers.CHECKS, *table.ROLES}
    assert kept <= set(vocabulary.WORDS) | set(_in_the_catalogue())


def test_numbers_have_the_languages_signs(portuguese):
    assert format_number(1234.5, ",.1f") == "1.234,5"
    assert t("Tested on {n} images only: read the intervals, not the values.", n=12).startswith("Testado em apenas 12")
    assert t("{low:.1%} to {high:.1%}", low=0.9, high=0.975) == "90,0% a 97,5%"
    assert nt("Exclude {n} image", "Exclude {n} images", 1) == "Excluir 1 imagem"
    assert nt("Exclude {n} image", "Exclude {n} images", 2) == "Excluir 2 imagens"
    noon = datetime(2026, 2, 1, 12, 5).timestamp()
    assert i18n.date(noon) == "1 fev. 12:05" and i18n.day(noon) == "1 de fev. de 2026"
    i18n.use("en")
    assert format_number(1234.5, ",.1f") == "1,234.5" and i18n.date(noon) == "1 Feb 12:05"


def test_a_sentence_that_was_kept_is_shown_in_the_readers_language(portuguese):
    border = msg(
        "With only a border of {width} pixels visible, {means} still tells the class in {accuracy:.0%} (95% interval "
        "{low:.0%} to {high:.0%}; chance {chance:.0%})",
        width=30, means=N_("this backbone"), accuracy=0.967, low=0.94, high=0.98, chance=0.467,
    )  # fmt: skip
    kept = msg("{evidence}: much of what can be learned here is not in the lungs.", evidence=border)
    assert translate(kept) == (
        "Com apenas uma borda de 30 pixels visível, este backbone ainda acerta a classe em 97% (intervalo de 95%: 94% "
        "a 98%; acaso 47%): muito do que se pode aprender aqui não está nos pulmões."
    )
    assert translate("excluded: by hand") == "excluída: à mão"
    assert translate("patient_0012.png") == "patient_0012.png"
    few = msg("Fewer than {few} test images of {classes}.", few=30, classes="COVID, OTHER INFECTION")
    assert translate(few) == "Menos de 30 imagens de teste de COVID, INFECÇÕES."


# These hold nothing but values and a few signs, or begin as another text does: shown by `t` only, never kept.
SHORT = {
    "{low:.1%} to {high:.1%}",
    "{low:.3f} to {high:.3f}",
    "{done} of {all}",
    "{right} of {n}",
    "{right} of {n} right",
    "is {label}",
    "{title} on {dataset}",
    "{method} for {target}",
    "{method} of {name}",
    "{stage}: {done} of {all}",
    "{value} ({low} to {high})",
}


def test_every_text_with_values_is_found_again(portuguese):
    """Whatever the package says in English with values filled in, `translated` gives as the catalogue has it."""
    wrong = []
    for text, translation in _in_the_catalogue().items():
        if isinstance(text, tuple) or not _fields(text) or text in SHORT:
            continue
        english = "".join(before + (f"q{name}q" if name else "") for before, name, *_ in Formatter().parse(text))
        wanted = "".join(before + (f"q{name}q" if name else "") for before, name, *_ in Formatter().parse(translation))
        if translate(english) != wanted:
            wrong.append((text, translate(english)))
    assert wrong == []


def test_a_thread_speaks_the_language_it_was_given(portuguese):
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: t("Home")).result() == "Home"
        assert pool.submit(i18n.bound(lambda: t("Home"))).result() == "Início"
