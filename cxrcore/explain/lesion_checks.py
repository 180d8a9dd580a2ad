"""How the heatmaps of a method, or a baseline, agree with lesions over several images, with intervals by patient."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cxrcore.evaluation import intervals
from cxrcore.explain import localisation, pointing_game
from cxrcore.explain.faithfulness_summary import LesionChecks
from cxrcore.explain.localisation import THRESHOLDS, LesionScores
from cxrcore.metric import Metric

Baseline = Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], LesionScores]  # of lungs and lesions


@dataclass(frozen=True)
class MarkedImages:
    """Those of some images whose lesions are known.

    Attributes:
        rows: which of the images, int (n,).
        patients: of each, (n,).
        lesions: of each, boolean (H, W) with at least one pixel.
        lungs: of each, boolean (H, W), or None where they are not known.
    """

    rows: np.ndarray
    patients: np.ndarray
    lesions: list[np.ndarray]
    lungs: list[np.ndarray | None]

    def check(
        self, heatmaps: np.ndarray, others: "MarkedImages | None", other_maps: np.ndarray | None
    ) -> LesionChecks | None:
        """Return how the heatmaps of all images agree with the lesions, None for no lesions.

        On `others` and the heatmaps of all those images the threshold of the intersection over union is chosen.
        """
        chosen_on = None if others is None or other_maps is None else others._scores(other_maps)
        return _check(self._scores(heatmaps), self.patients, chosen_on)

    def check_baseline(self, baseline: Baseline, others: "MarkedImages | None") -> LesionChecks | None:
        """Return how a baseline does, on the images whose lungs are known, too."""
        known = self._with_lungs()
        return _check(self._baseline(baseline), self.patients[known], others._baseline(baseline) if others else None)

    def over_chance(self, heatmaps: np.ndarray) -> Metric | None:
        """Return the share of hits minus that of a random point in the lungs, of the images whose lungs are known."""
        known = self._with_lungs()
        hits = pointing_game.hits(heatmaps[self.rows], self.lesions, localisation.TOLERANCE)[known]
        return intervals.mean(hits - localisation.chance(*self._lungs_and_lesions()), self.patients[known])

    def _scores(self, heatmaps: np.ndarray) -> LesionScores:
        return localisation.scores(heatmaps[self.rows], self.lesions)

    def _baseline(self, baseline: Baseline) -> LesionScores:
        return baseline(*self._lungs_and_lesions())

    def _lungs_and_lesions(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        pairs = zip(self.lungs, self.lesions, strict=True)
        known = [(lung, lesion) for lung, lesion in pairs if lung is not None]
        return [lung for lung, _ in known], [lesion for _, lesion in known]

    def _with_lungs(self) -> np.ndarray:
        return np.array([number for number, lung in enumerate(self.lungs) if lung is not None], int)


def _check(found: LesionScores, patients: np.ndarray, others: LesionScores | None) -> LesionChecks | None:
    """Return the means of scores of n images with their patients (n,); None for no image.

    Args:
        found: the scores.
        patients: of the images.
        others: the scores of other images, on which the threshold of the intersection over union is chosen: the one
            with the highest mean. None where there are none.
    """
    energy = intervals.mean(found.energy, patients)
    if energy is None:
        return None
    iou = threshold = None
    if others is not None and np.isfinite(others.ious).any():
        best = int(np.nanmean(others.ious, axis=0).argmax())
        iou, threshold = intervals.mean(found.ious[:, best], patients), float(THRESHOLDS[best])
    return LesionChecks(_hits(found.pointing, patients), energy, intervals.mean(found.auprc, patients), iou, threshold)


def _hits(pointing: np.ndarray, patients: np.ndarray) -> Metric:
    """Return the share of hits. Where resampling knows no interval, as where all images are hits, it is Wilson's, of as
    many images as there are patients.
    """
    metric = intervals.mean(pointing, patients) or Metric(None)
    if metric.has_interval or metric.value is None:
        return metric
    count = len(np.unique(patients))
    return Metric(metric.value, *intervals.wilson(round(metric.value * count), count), n=metric.n)
