"""The command that trains a run again."""

import shlex
from typing import Any

from cxrcore.config import run_config

# What `cxr train` has an option for; the rest goes by `--set`.
_OPTIONS = (
    "backbone", "weights", "weights_file", "size", "tap", "preprocessing", "cleaning", "head", "dropout", "optimizer",
    "learning_rate", "schedule", "label_smoothing", "l2", "batch_size", "epochs", "early_stopping", "seed",
)  # fmt: skip
_FLAGS = ("class_weights", "tensorboard")


def command(values: dict[str, Any]) -> str:
    """Return `cxr train ...` for the config of a run: the options that are not the defaults of its backbone.

    The dataset's version is left out: where the images have changed since, the newest ones are used.
    """
    base = run_config.make(dataset=values["dataset"], backbone=values["backbone"]).model_dump(mode="json")
    words = ["cxr", "train", "--data", values["dataset"]]
    if values["backbone"] != run_config.make(dataset="any").backbone:
        words += ["--backbone", values["backbone"]]
    for name, value in values.items():
        if name in ("dataset", "dataset_version", "backbone") or value == base.get(name):
            continue
        words += _words(name, value, base.get(name))
    return shlex.join(words)


def _words(name: str, value: Any, usual: Any) -> list[str]:
    if isinstance(value, dict):
        usual = usual or {}
        changed = [key for key in value if value[key] != usual.get(key)]
        return [word for key in changed for word in ("--set", f"{name}.{key}={_text(value[key])}")]
    option = "--" + name.replace("_", "-")
    if name in _FLAGS:
        return [option if value else f"--no-{option[2:]}"]
    return [option, _text(value)] if name in _OPTIONS else ["--set", f"{name}={_text(value)}"]


def _text(value: Any) -> str:
    return (
        {True: "true", False: "false", None: "null"}[value] if value is None or isinstance(value, bool) else str(value)
    )
