"""Faithfulness checks of every explanation method of a run, on test images; see `MethodChecks` for each.

Always explained is the predicted class, at the run's tap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cxrcore import settings
from cxrcore.data.images import known_mask
from cxrcore.evaluation import intervals
from cxrcore.evaluation.intervals import proportion
from cxrcore.explain import deletion_insertion, faithfulness_summary, layers, methods, pointing_game, randomisation
from cxrcore.explain.faithfulness_summary import MethodChecks
from cxrcore.explain.methods import GRADIENT_METHODS, METHODS
from cxrcore.features import backbones, extract, image_transforms, lung_masks, openvino
from cxrcore.features.predict import predict, predict_stream
from cxrcore.features.store import Store
from cxrcore.i18n import N_
from cxrcore.inference import saved_model
from cxrcore.messages import Message
from cxrcore.metric import Metric
from cxrcore.progress import PlannedStep, StepProgress, Steps, TaskProgress, ignore_steps, planned_seconds
from cxrcore.runs import Run, rate
from cxrcore.schema import Stored, migrate_metrics

if TYPE_CHECKING:
    from cxrcore.features.keras_setup import keras

FILE = "faithfulness.json"
POINTED, SHUFFLED = 100, 8  # images at most: for masks, and for shuffled weights
PERTURBED = (8, 16)  # images for curves and noise: with a slow backbone, and with a fast one
PREDICTED = 16  # images at most for all checks, if a method predicts many altered copies of each
SECONDS = 70  # for the curves, in the backbone on two laptop cores
START_SECONDS = 12  # to load the libraries and the model, and to compile its gradients
NOISE = 2.55  # standard deviation in grey levels: 1 % of the range
_MAPS, _CURVES = N_("heatmaps"), N_("deletion and insertion")
_NOISE, _SHUFFLED = N_("noise"), N_("shuffled weights")
_DISTINCT = 0.75  # of the altered copies: methods often agree on the highest cells
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
    run: Run, names: Sequence[str] = GRADIENT_METHODS, progress: StepProgress = ignore_steps, seed: int = 0
) -> Faithfulness:
    """Run the checks of some methods, and keep them with the run.

    Means over images have the bootstrap interval over patients.

    Raises:
        UserError: the run has no model, or an image is missing.
    """
    settings.require_writable()
    steps = Steps(progress, _plan(run, names), rate.expected(run))
    result = _Checks(run, names, steps, seed).result()
    result.write(run.folder / FILE)
    rate.keep_measured(run, steps)
    return result


def seconds(run: Run, names: Sequence[str] = GRADIENT_METHODS) -> float:
    """Return about how long `measure` will take."""
    return START_SECONDS + planned_seconds(_plan(run, names), rate.expected(run))


def curve_images(run: Run, names: Sequence[str] = GRADIENT_METHODS) -> int:
    """Return the number of test images at most for curves and noise: as many as the backbone allows in `SECONDS`."""
    least, most = PERTURBED
    images = backbones.get(run.config.backbone).rate_at(run.config.size) * SECONDS
    return min(most, max(least, int(images / _altered(names))))


def _altered(names: Sequence[str]) -> int:
    """Return how many altered copies of an image the curves of some methods and of a random map have at most."""
    return 2 + 2 * (deletion_insertion.STEPS - 1) * (len(names) + 1)


def _most(names: Sequence[str]) -> int:
    """Return how many test images are explained at most."""
    return PREDICTED if any(METHODS[name].perturbation_fn for name in names) else POINTED


def _plan(run: Run, names: Sequence[str]) -> list[PlannedStep]:
    tests = min(int((run.table["split"] == "test").sum()), _most(names))
    sample = min(tests, curve_images(run, names))
    # Passes of the methods that predict altered copies; a deep layer has about 1000 channels.
    copies = sum(METHODS[name].passes(1000) for name in names if METHODS[name].perturbation_fn)
    cached = _store(run, run.table[run.table["split"] == "test"])
    return [
        PlannedStep(_MAPS, tests, passes=copies + (cached is None)),
        PlannedStep(_CURVES, sample, passes=_DISTINCT * _altered(names)),
        PlannedStep(_NOISE, sample, passes=copies + 1),
        PlannedStep(_SHUFFLED, len(layers.single_taps(run.config)) + 1, passes=min(sample, SHUFFLED)),
    ]


def _store(run: Run, tests: pd.DataFrame) -> Store | None:
    """Return where the feature maps of test images were cached for the training; None where they are not, or the
    backbone was trained too.
    """
    if run.config.tune:
        return None
    store = Store(run.config.key(run.info.weights_digest))
    return None if store.missing(tests["sha256"]) else store


def load(run: Run) -> Faithfulness | None:
    """Return the checks of a run, None before they were made.

    Raises:
        DamagedFileError: the file is damaged.
    """
    return Faithfulness.read_if_present(run.folder / FILE)


class _Checks:
    """The test images of a run with their predictions, and each check of the methods on them."""

    def __init__(self, run: Run, names: Sequence[str], progress: TaskProgress, seed: int) -> None:
        from cxrcore.explain.explainer import Explainer
        from cxrcore.inference.classifier import Classifier

        self.run, self.names, self.progress, self.config = run, list(names), progress, run.config
        self.cam_names = [name for name in names if METHODS[name].cam_fn]
        self.rng = np.random.default_rng(seed)
        self.classifier = Classifier(run)
        self.explainer = Explainer(self.classifier, self.config)
        # The same network by OpenVINO, where it is installed.
        self.features = openvino.compiled(self.classifier.features, openvino.engine_for(self.config.backbone))
        tests = run.table[run.table["split"] == "test"].reset_index(drop=True)
        rows = np.sort(self.rng.permutation(len(tests))[: _most(names)])
        self.tests = tests.iloc[rows].reset_index(drop=True)
        paths = [Path(path) for path in self.tests["path"]]
        self.raw = np.concatenate([*extract.batches(paths, self.classifier.size, list(self.tests["sha256"]))])
        self.pixels = self.classifier.transform(self.raw)
        self.maps = self._maps_of_tests()
        self.probabilities = self.classifier.head_probabilities(self.maps)
        self.targets = self.probabilities.argmax(axis=1)
        self.sample = self.rng.permutation(len(self.tests))[: curve_images(run, names)]

    def result(self) -> Faithfulness:
        maps = self._maps(self.pixels, self.maps, _MAPS, np.arange(len(self.pixels)))
        random, areas = self._areas(maps)
        stability = self._stability(maps)
        stages = self._randomisation(maps)  # the last that needs the model
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

    def _maps_of_tests(self) -> np.ndarray:
        store = _store(self.run, self.tests)
        if store is None:
            return self._features(self.pixels, _MAPS)
        return store.read(list(self.tests["sha256"])).rows(range(len(self.tests)))

    def _features(self, pixels: np.ndarray, stage: str) -> np.ndarray:
        """Return the feature maps of pixels, float32 (n, h, w, c)."""
        batches = [pixels[start : start + extract.BATCH] for start in range(0, len(pixels), extract.BATCH)]
        found: list[np.ndarray] = []
        for maps in predict_stream(self.features, batches):
            found.append(maps)
            self.progress(stage, sum(map(len, found)), len(pixels))
        return np.concatenate(found)

    def _maps(self, pixels: np.ndarray, features: np.ndarray, stage: str, rows: np.ndarray) -> Maps:
        """Return the heatmaps of every method for `pixels`, the test images in `rows` or altered copies of them, whose
        feature maps are `features`.
        """
        maps = self._cam_maps(features, rows, self.classifier.head)
        for name in self.names:
            if METHODS[name].perturbation_fn:
                maps[name] = np.stack([self._perturbation_map(name, pixels, rows, k, stage) for k in range(len(rows))])
        return maps

    def _cam_maps(self, features: np.ndarray, rows: np.ndarray, head: "keras.Model") -> Maps:
        """Return the heatmaps of the methods that use gradients, through a head."""
        from cxrcore.explain.gradients import HeadGradients, target_heatmaps

        choices = layers.choices(self.config)
        found: Maps = {}
        for pooled in (False, True):
            fixed = [methods.fixed_layer(name, choices) == layers.POOLED for name in self.cam_names]
            names = [name for name, at_pool in zip(self.cam_names, fixed, strict=True) if at_pool == pooled]
            if names:
                gradient_model = HeadGradients(head, pooled)
                found |= target_heatmaps(gradient_model, features, names, self.targets[rows], self.probabilities[rows])
        return found

    def _perturbation_map(self, name: str, pixels: np.ndarray, rows: np.ndarray, k: int, stage: str) -> np.ndarray:
        self.progress(stage, k, len(rows))
        score = np.eye(len(self.classifier.classes), dtype=np.float32)[[self.targets[rows[k]]]]
        explanation = self.explainer.explain_pixels(pixels[k], self.config.tap, name, lambda _: score)
        return np.asarray(explanation.heatmaps[0])

    def _areas(self, maps: Maps) -> tuple[np.ndarray, Maps]:
        """Return the areas under the deletion and insertion curves of the sample, (n, 2), of random maps and of each
        method.
        """
        found = []
        for done, row in enumerate(self.sample, 1):
            heatmaps = [deletion_insertion.random_map(self.rng), *(maps[name][row] for name in self.names)]
            target = int(self.targets[row])
            found.append(deletion_insertion.areas(self._probabilities, self.pixels[row], heatmaps, target))
            self.progress(_CURVES, done, len(self.sample))
        random, *areas = np.stack(found, axis=1)
        return random, dict(zip(self.names, areas, strict=True))

    def _probabilities(self, pixels: np.ndarray) -> np.ndarray:
        return self.classifier.head_probabilities(predict(self.features, pixels))

    def _stability(self, maps: Maps) -> Maps:
        """Return the rank correlations (n,) by method with the maps of the sample with noise."""
        pixels = self.pixels[self.sample]
        noisy = np.clip(pixels + self.rng.normal(0, NOISE, pixels.shape), 0, 255).astype(np.uint8)
        after = self._maps(noisy, self._features(noisy, _NOISE), _NOISE, self.sample)
        return {name: _correlations(maps[name][self.sample], after[name]) for name in self.names}

    def _randomisation(self, maps: Maps) -> dict[str, list[tuple[str, np.ndarray]]]:
        """Return the rank correlations (n,) by method, after each stage of shuffling the weights of a copy.

        Only of methods that use gradients: the others would take too long at every stage.
        """
        rows = self.sample[:SHUFFLED]
        model, taps = saved_model.load(self.run, copy=True), layers.single_taps(self.config)
        found: dict[str, list[tuple[str, np.ndarray]]] = {name: [] for name in self.names}
        features = self.maps[rows]
        for done, stage in enumerate(randomisation.stages(model, taps), 1):
            if done > 1:  # the first stage is the head alone
                features = predict(model.get_layer("features"), self.pixels[rows])
            after = self._cam_maps(features, rows, model.get_layer("head"))
            for name in self.cam_names:
                found[name].append((stage, _correlations(maps[name][rows], after[name])))
            self.progress(_SHUFFLED, done, len(taps) + 1)
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
