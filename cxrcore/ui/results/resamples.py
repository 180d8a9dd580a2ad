"""The note on the number of bootstrap resamples behind the intervals of many images."""

from cxrcore.evaluation import intervals
from cxrcore.i18n import t


def note(images: int) -> str:
    """Return a sentence, after a space, if the bootstrap of so many images has fewer resamples than of few, else ""."""
    count = intervals.resamples(images)
    if count == intervals.RESAMPLES:
        return ""
    return " " + t(
        "{count:,} resamples instead of {all:,}, as there are more than {many:,} images.",
        count=count,
        all=intervals.RESAMPLES,
        many=intervals.MANY,
    )
