"""Facts into words by Jinja templates, which speak the current language through `t`."""

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cxrcore.language import current, day, local, t, translated
from cxrcore.report import words


def html(name: str, **values: Any) -> str:
    """Return a template of this folder filled in, every value escaped for HTML but those it marks as safe."""
    return _render(name, True, values)


def markdown(name: str, **values: Any) -> str:
    """Return a template of this folder filled in as it is."""
    return _render(name, False, values)


def _render(name: str, escaped: bool, values: dict[str, Any]) -> str:
    environment = Environment(
        loader=PackageLoader("cxrcore.export", "."),
        autoescape=escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "t": t,
        "translated": translated,
        "local": local,
        "language": current(),
        "with_interval": words.with_interval,
        "plain": words.plain,
        "now": day(datetime.now(UTC).timestamp()),
        "version": version("cxrcore"),
    }
    return environment.get_template(name).render(**values)
