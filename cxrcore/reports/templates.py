"""Jinja templates filled in the current language."""

import re
from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cxrcore import __version__
from cxrcore.data import classes
from cxrcore.evaluation import subgroups
from cxrcore.figures import formatting
from cxrcore.i18n import current, format_date, format_number, t, translate

# What has a meaning anywhere, and what begins a list or underlines a heading.
_MARKDOWN = re.compile(r"[\\`*_\[\]<>|&$~#]|^[-+=](?!\d)|(?<=^\d)[.)](?!\d)|(?<=^\d\d)[.)](?!\d)")


def html(name: str, **values: object) -> str:
    """Return a template of this folder filled in; every value is escaped for HTML except those it marks as safe."""
    return _render(name, True, values)


def markdown(name: str, **values: object) -> str:
    """Return a template of this folder filled in; every value is escaped for Markdown except those it marks as safe."""
    return _render(name, False, values)


def markdown_text(text: str) -> str:
    """Return a text so that it stays text in Markdown, in one line; in a table and at the start of a line too."""
    return _MARKDOWN.sub(r"\\\g<0>", " ".join(text.split()))


def _escaped(value: object) -> object:
    """Return what is marked as safe as it is, and other values as text."""
    return value if isinstance(value, Markup) else markdown_text(str(value))


def _render(name: str, escaped: bool, values: dict[str, object]) -> str:
    environment = Environment(  # nosec B701
        loader=PackageLoader("cxrcore.reports", "."),
        autoescape=escaped,
        finalize=None if escaped else _escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "t": t,
        "translate": translate,
        "label": classes.label,
        "format_number": format_number,
        "language": current(),
        "with_interval": formatting.with_interval,
        "number": formatting.number,
        "now": format_date(datetime.now(UTC).timestamp()),
        "version": __version__,
        "subgroup_columns": subgroups.COLUMNS,
        "subgroup_caveat": translate(subgroups.CAVEAT),
    }
    return environment.get_template(name).render(**values)
