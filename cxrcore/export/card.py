"""The model card: intended use, data, metrics by subgroup and limits on a page of Markdown."""

from cxrcore.export import templates
from cxrcore.export.facts import Facts
from cxrcore.language import translated


def render(facts: Facts) -> str:
    """Return the card in the current language, after Mitchell et al. 2019 (doi:10.1145/3287560.3287596)."""
    classes = ", ".join(map(translated, facts.classes))
    counts = ", ".join(f"{translated(name)} {count}" for name, count in facts.about["dataset"]["counts"].items())
    return templates.markdown("card.md.j2", facts=facts, counts=counts, classes=classes)
