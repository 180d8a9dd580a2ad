"""The catalogues are complete; numbers, dates and kept messages appear in the reader's language."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from string import Formatter

import pytest
from babel.messages import pofile
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg

from cxrcore import i18n
from cxrcore.audits.dataset import issues
from cxrcore.config.run_config import RunConfig
from cxrcore.data import dataset, exclusions
from cxrcore.fields import Group, setting_fields
from cxrcore.i18n import format_number, nt, t, translate
from cxrcore.messages import Message, msg, plain
from cxrcore.runs import STATE_LABELS
from cxrcore.sweeps import leaderboard
from cxrcore.training import pipeline
from tests.conftest import ROOT

MARKERS = ("t", "msg", "N_", "UserError", "ImageError", "DamagedFileError", "NewerFileError", "UnavailableError")
KEYWORDS = dict.fromkeys(MARKERS) | {"nt": (1, 2)}


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
    with (ROOT / "cxrcore/locale/pt_BR.po").open("rb") as file:
        return {message.id: message.string for message in pofile.read_po(file, locale="pt_BR") if message.id}


def _fields(text):
    return sorted({name for _, name, _, _ in Formatter().parse(text) if name is not None})


def test_catalogue_has_every_text_of_the_code_and_no_other():
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


def test_labels_of_codes_and_settings_are_in_the_catalogue():
    labels = {*STATE_LABELS.values(), *leaderboard.STATES.values(), *pipeline.STAGES.values()}
    labels |= {*exclusions.KINDS.values(), *issues.KINDS.values()}
    labels |= {*dataset.PART_TITLES.values(), *(group.value for group in Group)}
    for field in setting_fields(RunConfig):
        labels |= {field.setting.label, field.setting.help}
    assert labels <= set(_in_the_catalogue())


def test_numbers_and_dates_have_the_form_of_the_language(portuguese):
    assert format_number(1234.5, ",.1f") == "1.234,5"
    assert t("{low:.1%} to {high:.1%}", low=0.9, high=0.975) == "90,0% a 97,5%"
    assert nt("Exclude {n} image", "Exclude {n} images", 1) == "Excluir 1 imagem"
    assert nt("Exclude {n} image", "Exclude {n} images", 2) == "Excluir 2 imagens"
    noon = datetime(2026, 2, 1, 12, 5).timestamp()
    assert i18n.format_time(noon) == "1 fev. 12:05" and i18n.format_date(noon) == "1 de fev. de 2026"
    i18n.use("en")
    assert format_number(1234.5, ",.1f") == "1,234.5" and i18n.format_time(noon) == "1 Feb 12:05"


def test_kept_message_is_translated_when_shown(portuguese):
    message = msg("{low:.1%} to {high:.1%}", low=0.9, high=0.975)
    kept = Message.model_validate_json(message.model_dump_json())
    assert kept == message and str(kept) == "90.0% to 97.5%" and translate(kept) == "90,0% a 97,5%"


def test_message_in_a_message_is_translated_and_text_from_data_is_not(portuguese):
    kept = msg("{name}: {reason}", name="finished", reason=Message(id="finished"))
    assert str(kept) == "finished: finished" and translate(kept) == "finished: concluída"
    assert translate(plain("finished {x}")) == "finished {x}"
    assert translate(msg("{names}", names=["train", Message(id="finished")])) == "train, concluída"


def test_text_of_an_older_version_is_shown_as_it_is(portuguese):
    kept = Message.model_validate("With only a border of 30 {pixels} visible")
    assert translate(kept) == "With only a border of 30 {pixels} visible" == str(kept)


def test_a_bound_function_keeps_the_language_in_another_thread(portuguese):
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: t("Home")).result() == "Home"
        assert pool.submit(i18n.bind(lambda: t("Home"))).result() == "Início"
