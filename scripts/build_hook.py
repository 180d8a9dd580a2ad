"""Hatchling hook: put the dashboard's entry, pages and theme into the wheel, as `cxrcore/app/`.

An editable install gets no copies: `cxr app` runs the files of the checkout.
"""

from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FILES = ("streamlit_app.py", "pages", ".streamlit/config.toml")


class DashboardFiles(BuildHookInterface[BuilderConfig]):
    """Adds `FILES` to a standard wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files, unless `version` is "editable"."""
        if version == "standard":
            build_data["force_include"] |= {name: f"cxrcore/app/{name}" for name in FILES}
