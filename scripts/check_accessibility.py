"""Run axe-core on every page and tab of the dashboard, with the workspace of the screenshots, in both themes.

    python scripts/check_accessibility.py              # all
    python scripts/check_accessibility.py results data # the views whose names begin so

Prints serious and critical findings, and exits with 1 if there are any.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.server import running
from scripts import screenshots

if TYPE_CHECKING:
    from playwright.sync_api import Page

Finding = tuple[str, str, str, str]
IMPACTS = ("serious", "critical")
# Streamlit draws the label of a disabled widget pale. WCAG 1.4.3 asks for no contrast there, but axe cannot see what
# the label belongs to.
_EXCLUDED: dict[str, Any] = {"exclude": [["label[data-testid=stWidgetLabel][disabled]"]]}
_ALL_RULES: dict[str, Any] = {"resultTypes": ["violations"]}
_CONTRAST = _ALL_RULES | {"runOnly": ["color-contrast"]}  # the one rule that depends on the theme


def findings(page: "Page", schemes: Sequence[str] = ("light", "dark"), rest: float = 0.2) -> list[Finding]:
    """Return rule, theme, HTML and reason of the serious and critical findings of the page as it is."""
    from axe_playwright_python.sync_playwright import Axe

    axe, found, options = Axe(), [], _ALL_RULES
    for scheme in schemes:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        screenshots.settle(page, rest)
        for rule in axe.run(page, _EXCLUDED, options).response["violations"]:
            if rule["impact"] in IMPACTS:
                found += [(rule["id"], scheme, node["html"][:200], node["failureSummary"]) for node in rule["nodes"]]
        options = _CONTRAST
    return found


def main(names: Sequence[str]) -> None:
    """Open the views and print what was found."""
    screenshots.prepare()
    homes = {
        screenshots.HOME: screenshots.addresses(screenshots.HOME),
        screenshots.EMPTY_HOME: screenshots.EMPTY,
    }
    checked, count = 0, 0
    with screenshots.chromium() as browser:
        for home, views in homes.items():
            with running(home) as (server, _):
                page = browser.new_page(locale="en-US")
                page.set_default_timeout(120_000)
                for view, address in views.items():
                    if names and not view.startswith(tuple(names)):
                        continue
                    screenshots.open_view(page, server, address, "en")
                    found = findings(page)
                    for finding in found:
                        print(view, *finding, sep="\n  ")
                    checked, count = checked + 1, count + len(found)
    print(f"{checked} views in two themes: {count} serious or critical findings")
    sys.exit(count > 0)


if __name__ == "__main__":
    main(sys.argv[1:])
