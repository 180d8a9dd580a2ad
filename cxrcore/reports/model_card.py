"""The model card: intended use, data, metrics by subgroup and limits on a page of Markdown."""

from cxrcore.i18n import translate
from cxrcore.reports import templates
from cxrcore.reports.run_summary import RunSummary


def render(facts: RunSummary) -> str:
    """Return the card in the current language, after Mitchell et al. 2019 (doi:10.1145/3287560.3287596)."""
    classes = ", ".join(map(translate, facts.classes))
    counts = ", ".join(f"{translate(name)} {count}" for name, count in facts.about["dataset"]["counts"].items())
    return templates.markdown("model_card.md.j2", facts=facts, counts=counts, classes=classes)
