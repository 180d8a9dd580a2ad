"""Hatchling hook: put the dashboard's entry, pages, theme and exact versions into the wheel, as `cxrcore/app/`.

`cxr share` copies them. An editable install gets no copies: `cxr app` runs the files of the checkout.
"""

from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FILES = ("streamlit_app.py", "pages", ".streamlit/config.toml", "requirements.txt")


class DashboardFiles(BuildHookInterface[BuilderConfig]):
    """Adds `FILES` to a standard wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files, unless `version` is "editable"."""
        if version == "standard":
            build_data["force_include"] |= {name: f"cxrcore/app/{name}" for name in FILES}
