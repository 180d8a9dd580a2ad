"""RunSummary into words by Jinja templates, which speak the current language through `t`."""

import re
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cxrcore.evaluation import subgroups
from cxrcore.figures import formatting
from cxrcore.i18n import current, format_date, format_number, t, translate


def html(name: str, **values: Any) -> str:
    """Return a template of this folder filled in, every value escaped for HTML but those it marks as safe."""
    return _render(name, True, values)


def markdown(name: str, **values: Any) -> str:
    """Return a template of this folder filled in, every value escaped for Markdown but those it marks as safe."""
    return _render(name, False, values)


def _escaped(value: Any) -> Any:
    """Return a value so that it stays text in Markdown, in a table too; what is marked as safe stays as it is."""
    if isinstance(value, Markup):
        return value
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", str(value)).replace("\n", " ")


def _render(name: str, escaped: bool, values: dict[str, Any]) -> str:
    environment = Environment(
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
        "format_number": format_number,
        "language": current(),
        "with_interval": formatting.with_interval,
        "plain": formatting.plain,
        "now": format_date(datetime.now(UTC).timestamp()),
        "version": version("cxrcore"),
        "groups_differ": translate(subgroups.CAVEAT),
    }
    return environment.get_template(name).render(**values)
