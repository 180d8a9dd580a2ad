"""Every setting has what the options, the form, the sweeps and the README's table are made from."""

from pydantic import BaseModel

from cxrcore.config import table
from cxrcore.config.run_config import RunConfig
from cxrcore.fields import Choices, Group, Range, setting_fields

FIELDS = {field.name: field for field in setting_fields(RunConfig)}
NOT_SETTINGS = {"dataset", "dataset_version"}  # chosen by name, not typed in


def _plain_fields(model, prefix=""):
    """Yield the dotted names of all fields that are not sections."""
    for name, info in model.model_fields.items():
        kinds = getattr(info.annotation, "__args__", (info.annotation,))
        sections = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if sections:
            yield from _plain_fields(sections[0], f"{prefix}{name}.")
        else:
            yield prefix + name


def test_every_field_is_a_setting():
    assert set(_plain_fields(RunConfig)) - NOT_SETTINGS == {
        name for name, field in FIELDS.items() if not field.is_section
    }


def test_every_setting_has_label_help_and_group():
    for field in FIELDS.values():
        assert field.setting.label and field.setting.help and isinstance(field.setting.group, Group), field.name
        assert field.setting.help.endswith("."), field.name


def test_every_choice_has_a_label():
    for field in FIELDS.values():
        assert set(field.setting.values) == set(field.choices), field.name


def test_options_are_distinct():
    assert len({field.option for field in FIELDS.values()}) == len(FIELDS)


def test_kind_default_and_bounds_are_those_of_the_field():
    tune, seed, keep = FIELDS["tune.learning_rate"], FIELDS["split.seed"], FIELDS["keep"]
    assert (tune.kind, tune.default, tune.low, tune.high, tune.option) == (float, 1e-4, 0, 1, "--tune-rate")
    assert (seed.kind, seed.default, seed.low, seed.high, seed.option) == (int, 0, 0, 2**32, "--split-seed")
    assert (keep.kind, keep.choices, keep.low, keep.section) == (str, ("best", "last"), None, "")
    assert (FIELDS["augment"].is_section, FIELDS["augment"].kind, FIELDS["augment"].default) == (True, bool, False)
    assert FIELDS["plateau"].default is True and FIELDS["plateau.factor"].section == "plateau"


def test_sweep_ranges_are_within_the_bounds():
    for field in FIELDS.values():
        sweep = field.setting.sweep
        if isinstance(sweep, Range):
            assert field.low <= sweep.low < sweep.high <= field.high, field.name
        elif isinstance(sweep, Choices) and field.choices:
            assert set(sweep.choices) <= set(field.choices), field.name


def test_table_of_the_readme_lists_every_setting():
    rows = [row for row in table.markdown().splitlines() if "`--" in row]
    assert len(rows) == len(FIELDS)
    for field in FIELDS.values():
        assert any(f"| {field.setting.label} | `{field.option}` |" in row for row in rows), field.name
    for name, cells in {
        "dropout": "| Dropout | `--dropout` | `0.2` | at least 0, below 1",
        "size": "| Input size | `--size` | `0` | at least 0",
        "keep": "| Weights kept | `--keep` | `best` | `best`, `last`",
        "augment": "| Data augmentation | `--augment` | `false` | ",
        "weights_file": "| Weights file | `--weights-file` |  | ",
    }.items():
        assert f"{cells} | {FIELDS[name].setting.help} |" in rows


def test_table_is_put_between_its_markers():
    text = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    assert table.replace_in(text) == f"before\n{table.BEGIN}\n{table.markdown()}\n{table.END}\nafter\n"


def test_fields_without_a_setting_are_left_out():
    class Section(BaseModel):
        size: int = 3

    class Model(BaseModel):
        hidden: str = ""
        section: Section = Section()

    assert list(setting_fields(Model)) == []
