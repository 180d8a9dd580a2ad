"""The command that trains a run again."""

import shlex
from typing import Any

from pydantic import BaseModel

from cxrcore.config import run_config
from cxrcore.config.run_config import RunConfig
from cxrcore.fields import SettingField, setting_fields


def command(config: RunConfig) -> str:
    """Return `cxr train ...` with the backbone and the options whose values are not the defaults of it and the head.

    The version of the dataset is left out: where the images have changed since, the newest ones are used.
    """
    usual = run_config.make(dataset=config.dataset, backbone=config.backbone, head=config.head)
    words = ["cxr", "train", "--data", config.dataset, "--backbone", config.backbone]
    for field in setting_fields(RunConfig):
        value, default = value_of(config, field.name), value_of(usual, field.name)
        if field.name == "head":
            default = field.default
        if value != default and not _follows_from_section(config, field):
            words += _words(field, value)
    return shlex.join(words)


def value_of(config: RunConfig, name: str) -> Any:
    """Return the value of a setting with a dotted name; of a section that can be off, whether it is on; None for a
    setting of a section that is off.
    """
    found: Any = config
    for part in name.split("."):
        found = getattr(found, part, None)
    return True if isinstance(found, BaseModel) else found


def _follows_from_section(config: RunConfig, field: SettingField) -> bool:
    """Tell whether the setting's section is off, or is on with this value by default."""
    if not field.section:
        return False
    value = value_of(config, field.name)
    return value is None or (getattr(config, field.section, None) is not None and value == field.default)


def _words(field: SettingField, value: Any) -> list[str]:
    if field.kind is bool:
        on = bool(value)
        return [field.option if on else f"--no-{field.option[2:]}"]
    return [field.option, str(value)]
