"""Write the pages of the guide that come from the code: commands and settings, in docs/reference.

tests/test_guide.py checks that what is committed is what this script writes.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import typer  # noqa: E402
from typer.core import TyperCommand, TyperGroup, TyperOption  # noqa: E402

from cxrcore.cli import app  # noqa: E402
from cxrcore.config import table  # noqa: E402
from cxrcore.config.run_config import RunConfig  # noqa: E402
from cxrcore.fields import setting_fields  # noqa: E402
from cxrcore.settings import SETTINGS  # noqa: E402

FOLDER = ROOT / "docs" / "reference"
_SETTINGS = {field.option for field in setting_fields(RunConfig)}


def commands() -> str:
    """Return the page of all commands as Markdown, from their help."""
    lines = ["# Commands", "", "Every command has `--help`. `python -m cxrcore` is the same as `cxr`.", ""]
    for name, command in _commands("cxr", typer.main.get_command(app)):
        lines += [
            f"## {name}",
            "",
            _text(command.help),
            "",
            "```",
            _usage(name, command),
            "```",
            "",
            *_options(command),
        ]
    return "\n".join(lines).rstrip() + "\n"


def settings() -> str:
    """Return the page of training settings and of environment variables as Markdown."""
    rows = [
        f"| `{name}` | {f'`{default}`' if default else ''} | {text} |" for name, (default, text) in SETTINGS.items()
    ]
    return "\n".join(
        [
            "# Settings",
            "",
            "## Training settings",
            "",
            "Options of `cxr train` and `cxr sweep`, and fields of a config file. Values are merged in this order:",
            "defaults, preset, config file, options, `--set`.",
            "",
            table.markdown(),
            "",
            "## Server settings",
            "",
            "Environment variables.",
            "",
            "| variable | default | meaning |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def options_by_command() -> Iterator[tuple[str, set[str]]]:
    """Yield the name of each command, such as `cxr data import`, with its options."""
    for name, command in _commands("cxr", typer.main.get_command(app)):
        yield name, {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


def pages() -> dict[Path, str]:
    """Return the content of each page by its file."""
    return {FOLDER / "commands.md": commands(), FOLDER / "settings.md": settings()}


def _commands(name: str, command: Any) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperGroup):
        for part in command.commands.values():
            yield from _commands(f"{name} {part.name}", part)
    else:
        yield name, command


def _usage(name: str, command: TyperCommand) -> str:
    arguments = [_argument(parameter) for parameter in command.params if not isinstance(parameter, TyperOption)]
    return " ".join([name, "[OPTIONS]", *arguments])


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    return (name if parameter.required else f"[{name}]") + ("..." if parameter.nargs == -1 else "")


def _options(command: TyperCommand) -> list[str]:
    rows, settings_too = [], False
    for parameter in sorted(command.params, key=lambda parameter: isinstance(parameter, TyperOption)):
        names = [*parameter.opts, *parameter.secondary_opts]
        if _SETTINGS.intersection(names):
            settings_too = True
            continue
        shown = ", ".join(f"`{name}`" for name in names) if isinstance(parameter, TyperOption) else _argument(parameter)
        rows.append(f"| {shown} | {_default(parameter)} | {_text(getattr(parameter, 'help', ''))} |")
    lines = ["| option | default | meaning |", "|---|---|---|", *rows, ""] if rows else []
    return [*lines, "Also the options of the [training settings](settings.md).", ""] if settings_too else lines


def _default(parameter: Any) -> str:
    value = parameter.default
    if value is None or value is False or value == "" or parameter.required or callable(value):
        return ""
    return f"`{getattr(value, 'value', value)}`"


def _text(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in pages().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
