"""The table of settings in the README, written by `make readme`."""

from cxrcore.config.run_config import RunConfig
from cxrcore.fields import Group, SettingField, setting_fields

_LARGEST = 2**32  # the bound of seeds, which is not worth naming
BEGIN, END = "<!-- settings:begin -->", "<!-- settings:end -->"


def markdown() -> str:
    """Return the settings as a Markdown table, group by group."""
    rows = ["| setting | option | default | range | meaning |", "|---|---|---|---|---|"]
    fields = list(setting_fields(RunConfig))
    for group in Group:
        rows.append(f"| **{group.value}** | | | | |")
        rows += [_row(field) for field in fields if field.setting.group is group]
    return "\n".join(rows)


def replace_in(text: str) -> str:
    """Return a document with the table between its markers."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{markdown()}\n{END}{after}"


def _row(field: SettingField) -> str:
    default = f"`{field.default_text}`" if field.default_text else ""
    return f"| {field.setting.label} | `{field.option}` | {default} | {_range(field)} | {field.setting.help} |"


def _range(field: SettingField) -> str:
    if field.choices:
        return ", ".join(f"`{choice}`" for choice in field.choices if choice)
    bounds = []
    if field.low is not None:
        bounds.append(f"{'above' if field.above_low else 'at least'} {field.low:g}")
    if field.high is not None and field.high < _LARGEST:
        bounds.append(f"{'below' if field.below_high else 'at most'} {field.high:,g}")
    return ", ".join(bounds)
