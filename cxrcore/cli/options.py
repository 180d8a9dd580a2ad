"""Command-line options made from the settings of a run."""

import inspect
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from cxrcore.config import run_config
from cxrcore.config.run_config import PRESETS, RunConfig, merge, nested, parse_override
from cxrcore.data.dataset import load
from cxrcore.errors import UserError
from cxrcore.features import default_backbone
from cxrcore.fields import SettingField, setting_fields
from cxrcore.i18n import t, translate

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="Name of a run or its first letters, or `latest`.")]
_FIELDS = list(setting_fields(RunConfig))


def with_settings(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command an option for each setting, or for those in `names`.

    The command takes the given values as `settings`, nested by section; a setting that was not given is absent.
    """
    fields = [field for field in _FIELDS if not names or field.name in names]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [found for found in inspect.signature(command).parameters.values() if found.name != "settings"]
        options = [_parameter(field) for field in fields]

        @wraps(command)
        def with_options(**given: Any) -> None:
            settings = {field.name: given.pop(_variable(field)) for field in fields}
            command(**given, settings=_nested(settings, fields))

        parameters = [found.replace(kind=inspect.Parameter.KEYWORD_ONLY) for found in own] + options
        with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        with_options.__annotations__ = {found.name: found.annotation for found in parameters}
        return with_options

    return decorate


def make_config(
    preset: str, file: Path | None, dataset: str | None, settings: dict[str, Any], overrides: Iterable[str] = ()
) -> RunConfig:
    """Return the config of a preset, with a file, the options and the texts of `--set` merged over it in this order.

    Where none of them names a backbone, the default one is used, and the reason printed on the standard error.

    Raises:
        UserError: a value is not valid, no dataset is named, or there is no such dataset.
    """
    layers = [run_config.read(file) if file else {}, {"dataset": dataset} if dataset else {}, settings]
    layers += [parse_override(text) for text in overrides]
    if not any("dataset" in layer for layer in layers):
        raise UserError("Name a dataset with --data, or a file with --config.")
    if any("backbone" in layer for layer in layers):
        return run_config.make(preset, *layers)
    name = next(str(layer["dataset"]) for layer in reversed(layers) if "dataset" in layer)
    try:
        default = default_backbone.choose(load(name).is_phantom, preset)
    except UserError:
        run_config.make(preset, *layers)  # a value that is not valid is named first
        raise
    config = run_config.make(preset, {"backbone": default.backbone.key}, *layers)
    print(translate(default.reason), file=sys.stderr)
    return config


Data = Annotated[str | None, typer.Option("--data", help="Name of the dataset.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="A YAML file of a run, as `cxr report --config` writes it.")
]
Preset = Annotated[str, typer.Option(help=f"{' or '.join(PRESETS)}.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Any setting by its name, for example augment.rotation=5.")
]


def _variable(field: SettingField) -> str:
    return field.name.replace(".", "__")


def _parameter(field: SettingField) -> inspect.Parameter:
    names = [f"{field.option}/--no-{field.option[2:]}"] if field.kind is bool else [field.option]
    option = typer.Option(*names, help=_help(field), rich_help_panel=t(field.setting.group.value), show_default=False)
    kind: Any = field.kind
    annotation = Annotated[kind | None, option]
    return inspect.Parameter(_variable(field), inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _help(field: SettingField) -> str:
    choices = f" One of {', '.join(choice or 'none' for choice in field.choices)}." if field.choices else ""
    default = f" Default: {field.default_text}." if field.default_text else ""
    return f"{t(field.setting.help)}{choices}{default}"


def _nested(settings: dict[str, Any], fields: list[SettingField]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in fields:
        value = settings[field.name]
        if value is None:
            continue
        if field.is_section:
            value = {} if value else None
        found = merge(found, nested(field.name, str(value) if isinstance(value, Path) else value))
    return found
