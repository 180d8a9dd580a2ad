"""The model card: intended use, data, metrics by subgroup and limitations on a page of Markdown."""

from cxrcore.data import classes
from cxrcore.reports import templates
from cxrcore.reports.run_summary import RunSummary


def render(summary: RunSummary) -> str:
    """Return the card in the current language, after Mitchell et al. 2019 (doi:10.1145/3287560.3287596)."""
    names = ", ".join(map(classes.label, summary.classes))
    counts = ", ".join(f"{classes.label(name)} {count}" for name, count in summary.info.dataset.counts.items())
    return templates.markdown("model_card.md.j2", summary=summary, counts=counts, classes=names)
