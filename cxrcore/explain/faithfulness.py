"""Faithfulness checks of every explanation method of a run, on test images; see `MethodChecks` for each.

Always explained is the predicted class, at the run's tap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cxrcore import settings
from cxrcore.data.images import known_mask
from cxrcore.evaluation import intervals
from cxrcore.evaluation.intervals import proportion
from cxrcore.explain import deletion_insertion, faithfulness_summary, layers, methods, pointing_game, randomisation
from cxrcore.explain.faithfulness_summary import MethodChecks
from cxrcore.explain.methods import GRADIENT_METHODS, METHODS
from cxrcore.features import extract, image_transforms, lung_masks
from cxrcore.i18n import N_
from cxrcore.inference import saved_model
from cxrcore.messages import Message
from cxrcore.metric import Metric
from cxrcore.progress import StageProgress, ignore_stages
from cxrcore.runs import Run
from cxrcore.schema import Stored, migrate_metrics

if TYPE_CHECKING:
    from cxrcore.features.keras_setup import keras

FILE = "faithfulness.json"
POINTED, PERTURBED, SHUFFLED = 200, 16, 8  # images at most: for masks, for curves and noise, for shuffled weights
NOISE = 2.55  # standard deviation in grey levels: 1 % of the range
Maps = dict[str, np.ndarray]  # heatmaps (n, h, w) by method


@dataclass(frozen=True)
class RandomMapChecks:
    """The areas under the deletion and insertion curves of random maps, for comparison."""

    deletion: Metric
    insertion: Metric


class Faithfulness(Stored):
    """`faithfulness.json`.

    Attributes:
        methods: the checks by method.
        random: of random maps.
        lungs_from: where the lungs come from.
        layer: the tap that was explained.
        flaws: what was found against each method.
        worst: the method with the most flaws.
    """

    methods: dict[str, MethodChecks]
    random: RandomMapChecks
    lungs_from: Message
    layer: str
    flaws: dict[str, list[Message]]
    worst: str

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Version 1 had intervals as pairs."""
        migrated: dict[str, Any] = migrate_metrics(values)
        return migrated


def measure(
    run: Run, names: Sequence[str] = GRADIENT_METHODS, progress: StageProgress = ignore_stages, seed: int = 0
) -> Faithfulness:
    """Run the checks of some methods, and keep them with the run.

    Means over images have the bootstrap interval over patients.

    Raises:
        UserError: the run has no model, or an image is missing.
    """
    settings.require_writable()
    result = _Checks(run, names, progress, seed).result()
    result.write(run.folder / FILE)
    return result


def load(run: Run) -> Faithfulness | None:
    """Return the checks of a run, None before they were made.

    Raises:
        DamagedFileError: the file is damaged.
    """
    return Faithfulness.read_if_present(run.folder / FILE)


class _Checks:
    """The test images of a run with their predictions, and each check of the methods on them."""

    def __init__(self, run: Run, names: Sequence[str], progress: StageProgress, seed: int) -> None:
        from cxrcore.explain.explainer import Explainer
        from cxrcore.inference.classifier import Classifier

        self.run, self.names, self.progress, self.config = run, list(names), progress, run.config
        self.cam_names = [name for name in names if METHODS[name].cam_fn]
        self.rng = np.random.default_rng(seed)
        self.classifier = Classifier(run)
        self.explainer = Explainer(self.classifier, self.config)
        tests = run.table[run.table["split"] == "test"].reset_index(drop=True)
        rows = np.sort(self.rng.permutation(len(tests))[:POINTED])
        self.tests = tests.iloc[rows].reset_index(drop=True)
        paths = [Path(path) for path in self.tests["path"]]
        self.raw = np.concatenate([*extract.batches(paths, self.classifier.size, list(self.tests["sha256"]))])
        self.pixels = self.classifier.transform(self.raw)
        self.probabilities = self.classifier.probabilities(self.pixels)
        self.targets = self.probabilities.argmax(axis=1)
        self.sample = self.rng.permutation(len(self.tests))[:PERTURBED]

    def result(self) -> Faithfulness:
        maps = self._maps(self.pixels, N_("heatmaps"), np.arange(len(self.pixels)))
        random = self._areas([deletion_insertion.random_map(self.rng) for _ in self.sample], 0)
        areas = {name: self._areas(maps[name][self.sample], k) for k, name in enumerate(self.names, 1)}
        stability = self._stability(maps)
        stages = self._randomisation(maps)
        lesion_rows, lesions, lung_rows, lungs, lungs_from = self._masks()
        checks = {}
        for name in self.names:
            means = [(stage, self._mean(values, self.sample[:SHUFFLED])) for stage, values in stages[name]]
            pointing = pointing_game.hits(maps[name][lesion_rows], lesions)
            checks[name] = MethodChecks(
                deletion=self._known_mean(areas[name][:, 0], self.sample),
                insertion=self._known_mean(areas[name][:, 1], self.sample),
                over_random=self._known_mean(np.diff(areas[name] - random)[:, 0], self.sample),
                stability=self._known_mean(stability[name], self.sample),
                random_weights=means[-1][1] if means else None,
                stages=[(stage, mean.value if mean else None) for stage, mean in means],
                pointing=proportion(int(pointing.sum()), len(pointing)) if len(pointing) else None,
                in_lesions=self._mean(pointing_game.energy(maps[name][lesion_rows], lesions), lesion_rows),
                in_lungs=self._mean(pointing_game.energy(maps[name][lung_rows], lungs), lung_rows),
            )
        return Faithfulness(
            methods=checks,
            random=RandomMapChecks(
                deletion=self._known_mean(random[:, 0], self.sample),
                insertion=self._known_mean(random[:, 1], self.sample),
            ),
            lungs_from=lungs_from,
            layer=self.config.tap,
            flaws={name: faithfulness_summary.flaws(each) for name, each in checks.items()},
            worst=faithfulness_summary.worst(checks),
        )

    def _maps(self, pixels: np.ndarray, stage: str, rows: np.ndarray) -> Maps:
        """Return the heatmaps of every method for `pixels`, the test images in `rows` or altered copies of them."""
        maps = self._cam_maps(self.classifier.model, pixels, rows)
        for name in self.names:
            if METHODS[name].perturbation_fn:
                maps[name] = np.stack([self._perturbation_map(name, pixels, rows, k, stage) for k in range(len(rows))])
        return maps

    def _cam_maps(self, model: "keras.Model", pixels: np.ndarray, rows: np.ndarray) -> Maps:
        """Return the heatmaps of the methods that use gradients, through `model` as it is now."""
        from cxrcore.explain.gradients import HeadGradients, target_heatmaps
        from cxrcore.features.predict import predict

        head, choices = model.get_layer("head"), layers.choices(self.config)
        found: Maps = {}
        maps = predict(model.get_layer("features"), pixels)
        for pooled in (False, True):
            fixed = [methods.fixed_layer(name, choices) == layers.POOLED for name in self.cam_names]
            names = [name for name, at_pool in zip(self.cam_names, fixed, strict=True) if at_pool == pooled]
            if names:
                gradient_model = HeadGradients(head, pooled)
                found |= target_heatmaps(gradient_model, maps, names, self.targets[rows], self.probabilities[rows])
        return found

    def _perturbation_map(self, name: str, pixels: np.ndarray, rows: np.ndarray, k: int, stage: str) -> np.ndarray:
        self.progress(stage, k, len(rows))
        score = np.eye(len(self.classifier.classes), dtype=np.float32)[[self.targets[rows[k]]]]
        explanation = self.explainer.explain_pixels(pixels[k], self.config.tap, name, lambda _: score)
        return np.asarray(explanation.heatmaps[0])

    def _areas(self, heatmaps: Sequence[np.ndarray] | np.ndarray, number: int) -> np.ndarray:
        """Return the areas under the deletion and insertion curves of the sample, (n, 2)."""
        areas = []
        for row, heatmap in zip(self.sample, heatmaps, strict=True):
            target, pixels = int(self.targets[row]), self.pixels[row]
            areas.append(deletion_insertion.areas(self.classifier.probabilities, pixels, heatmap, target))
            done, total = number * len(self.sample) + len(areas), (len(self.names) + 1) * len(self.sample)
            self.progress(N_("deletion and insertion"), done, total)
        return np.array(areas)

    def _stability(self, maps: Maps) -> Maps:
        """Return the rank correlations (n,) by method with the maps of the sample with noise."""
        pixels = self.pixels[self.sample]
        noisy = np.clip(pixels + self.rng.normal(0, NOISE, pixels.shape), 0, 255).astype(np.uint8)
        after = self._maps(noisy, N_("noise"), self.sample)
        return {name: _correlations(maps[name][self.sample], after[name]) for name in self.names}

    def _randomisation(self, maps: Maps) -> dict[str, list[tuple[str, np.ndarray]]]:
        """Return the rank correlations (n,) after each stage of shuffling, by method.

        Only of methods that use gradients: the others would take too long at every stage.
        """
        rows = self.sample[:SHUFFLED]
        model, taps = saved_model.load(self.run, copy=True), layers.single_taps(self.config)
        found: dict[str, list[tuple[str, np.ndarray]]] = {name: [] for name in self.names}
        for done, stage in enumerate(randomisation.stages(model, taps), 1):
            after = self._cam_maps(model, self.pixels[rows], rows)
            for name in self.cam_names:
                found[name].append((stage, _correlations(maps[name][rows], after[name])))
            self.progress(N_("shuffled weights"), done, len(taps) + 1)
        return found

    def _masks(self) -> tuple[np.ndarray, list[np.ndarray], np.ndarray, list[np.ndarray], Message]:
        """Return the rows with known lesions whose prediction is correct and their masks, the rows with known lungs and
        their masks, and where the lungs come from. The masks are cropped as their images are.
        """
        crops = [image_transforms.WHOLE] * len(self.raw)
        if image_transforms.changes_frame(self.config.image_transform):
            crops = image_transforms.boxes(self.raw, self.config.image_transform)
        correct = self.tests["label"].to_numpy() == np.array(self.classifier.classes)[self.targets]
        lesions: dict[int, np.ndarray] = {}
        for row in np.flatnonzero((self.tests["lesions"] != "") & correct).tolist():
            mask = known_mask(self.tests["lesions"][row])
            if mask is not None:
                lesions[row] = _crop(mask, crops[row])
        found, lungs_from = lung_masks.drawn_first(self.tests, self.raw)
        lungs = {row: _crop(mask, crops[row]) for row, mask in enumerate(found) if mask is not None}
        return np.array([*lesions], int), [*lesions.values()], np.array([*lungs], int), [*lungs.values()], lungs_from

    def _mean(self, values: np.ndarray, rows: np.ndarray) -> Metric | None:
        return intervals.mean(values, self.tests["patient"].to_numpy()[rows])

    def _known_mean(self, values: np.ndarray, rows: np.ndarray) -> Metric:
        return self._mean(values, rows) or Metric(None)


def _crop(mask: np.ndarray, box: image_transforms.Box) -> np.ndarray:
    if box == image_transforms.WHOLE:
        return mask
    return image_transforms.cut(mask.astype(np.uint8) * 255, box) > 127


def _correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    pairs = zip(first, second, strict=True)
    return np.array([randomisation.rank_correlation(*pair) for pair in pairs])
