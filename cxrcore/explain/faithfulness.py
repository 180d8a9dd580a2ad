"""Faithfulness checks of every explanation method of a run, on test images; see `MethodChecks` for each.

Always explained is the predicted class, at the run's tap.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import field_validator

from cxrcore import settings
from cxrcore.data.images import known_mask
from cxrcore.evaluation import intervals
from cxrcore.explain import (
    deletion_insertion,
    faithfulness_summary,
    layers,
    localisation,
    methods,
    pointing_game,
    randomisation,
)
from cxrcore.explain.faithfulness_summary import LesionChecks, MethodChecks
from cxrcore.explain.lesion_checks import MarkedImages
from cxrcore.explain.methods import GRADIENT_METHODS, METHODS
from cxrcore.features import backbones, extract, gpus, image_transforms, lung_masks, openvino
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
_OTHERS = N_("lesions of other images")
_DISTINCT = 0.75  # of the altered copies: methods often agree on the highest cells
Maps = dict[str, np.ndarray]  # heatmaps (n, h, w) by method


@dataclass(frozen=True)
class RandomMapChecks:
    """The areas under the deletion and insertion curves of random maps, for comparison."""

    deletion: Metric
    insertion: Metric


@dataclass(frozen=True)
class MeanCurves:
    """The mean probability of the explained class over the images of the curves, while the brightest cells of a map are
    blurred (`deletion`) or restored (`insertion`): at equal steps from none of the image to all of it.
    """

    deletion: list[float]
    insertion: list[float]


@dataclass(frozen=True)
class Curves:
    """The curves by method, and those of random maps."""

    methods: dict[str, MeanCurves]
    random: MeanCurves


class Faithfulness(Stored):
    """`faithfulness.json`.

    Attributes:
        methods: the checks by method.
        random: of random maps.
        lungs_from: where the lungs come from.
        layer: the tap that was explained.
        flaws: what was found against each method.
        worst: the method with the most flaws.
        random_point: how a random point in the lungs agrees with the lesions, where both are known.
        lung_centres: how the centres of the lungs do.
        curves: of deletion and insertion; None in files of earlier versions.
    """

    methods: dict[str, MethodChecks]
    random: RandomMapChecks
    lungs_from: Message
    layer: str
    flaws: dict[str, list[Message]]
    worst: str
    random_point: LesionChecks | None = None
    lung_centres: LesionChecks | None = None
    curves: Curves | None = None

    @field_validator("methods", mode="before")
    @classmethod
    def _lesions_of_older_files(cls, methods: Any) -> Any:
        """Older files have the two measures of lesions without a group of their own."""
        for checks in methods.values() if isinstance(methods, dict) else ():
            if isinstance(checks, dict) and checks.get("pointing") and checks.get("in_lesions"):
                checks["lesions"] = {"pointing": checks["pointing"], "energy": checks["in_lesions"]}
        return methods

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
    most = _most(names)
    known = int(((run.table["split"] == "test") & (run.table["lesions"] != "")).sum())
    count = int((run.table["split"] == "test").sum())
    tests = min(count, most + min(known, most))
    sample = min(count, curve_images(run, names))
    others = min(len(_other_images(run.table)), most)
    # Passes of the methods that predict altered copies; a deep layer has about 1000 channels.
    copies = sum(METHODS[name].passes(1000) for name in names if METHODS[name].perturbation_fn)
    cached = _store(run, run.table[run.table["split"] == "test"])
    return [
        PlannedStep(_MAPS, tests, passes=copies + (cached is None)),
        PlannedStep(_CURVES, sample, passes=_DISTINCT * _altered(names)),
        PlannedStep(_NOISE, sample, passes=copies + 1),
        *([PlannedStep(_OTHERS, others, passes=copies + (cached is None))] if others else []),
        PlannedStep(_SHUFFLED, len(layers.single_taps(run.config)) + 1, passes=min(sample, SHUFFLED)),
    ]


def _store(run: Run, table: pd.DataFrame) -> Store | None:
    """Return where the feature maps of images were cached for the training; None where they are not, or the backbone
    was trained too.
    """
    if run.config.tune:
        return None
    store = Store(run.config.key(run.info.weights_digest))
    return None if store.missing(table["sha256"]) else store


def _other_images(table: pd.DataFrame) -> pd.DataFrame:
    """Return the validation images with lesions, of a run without validation images the training images with lesions:
    on them the thresholds of the maps are chosen.
    """
    part = "validation" if (table["split"] == "validation").any() else "train"
    return table[(table["split"] == part) & (table["lesions"] != "")].reset_index(drop=True)


def load(run: Run) -> Faithfulness | None:
    """Return the checks of a run, None before they were made.

    Raises:
        DamagedFileError: the file is damaged.
    """
    return Faithfulness.read_if_present(run.folder / FILE)


@dataclass(frozen=True)
class _Images:
    """Images of a run and what its model makes of them.

    Attributes:
        table: their n rows of the run's table.
        raw: uint8 (n, size, size, 3).
        pixels: the same with the run's image transform, as the backbone gets them.
        features: feature maps, float32 (n, h, w, c).
        probabilities: float32 (n, classes).
    """

    table: pd.DataFrame
    raw: np.ndarray
    pixels: np.ndarray
    features: np.ndarray
    probabilities: np.ndarray

    @property
    def targets(self) -> np.ndarray:
        """The predicted classes, int (n,), which are explained."""
        targets: np.ndarray = self.probabilities.argmax(axis=1)
        return targets

    def subset(self, rows: np.ndarray) -> "_Images":
        """Return some of the images, in this order."""
        arrays = (self.raw, self.pixels, self.features, self.probabilities)
        return _Images(self.table.iloc[rows].reset_index(drop=True), *(values[rows] for values in arrays))


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
        self.features = openvino.compiled(self.classifier.features, gpus.engine_for(self.config.backbone))
        random, table = self._chosen_tests()
        self.tests = self._load(table, _MAPS)
        self.random = random
        self.sample = self.rng.permutation(random)[: curve_images(run, names)]

    def _chosen_tests(self) -> tuple[np.ndarray, pd.DataFrame]:
        """Return random test images, given by their rows in the table, and the table: theirs, and of others with known
        lesions as many as there may be.
        """
        tests, most = self.run.table[self.run.table["split"] == "test"].reset_index(drop=True), _most(self.names)
        random = np.sort(self.rng.permutation(len(tests))[:most])
        known = self.rng.permutation(np.setdiff1d(np.flatnonzero(tests["lesions"] != ""), random))[:most]
        rows = np.sort(np.concatenate([random, known]))
        return np.searchsorted(rows, random), tests.iloc[rows].reset_index(drop=True)

    def _load(self, table: pd.DataFrame, stage: str) -> _Images:
        paths = [Path(path) for path in table["path"]]
        raw = np.concatenate([*extract.batches(paths, self.classifier.size, list(table["sha256"]))])
        pixels, store = self.classifier.transform(raw), _store(self.run, table)
        if store is None:
            features = self._features(pixels, stage)
        else:
            features = store.read(list(table["sha256"])).rows(range(len(table)))
        return _Images(table, raw, pixels, features, self.classifier.head_probabilities(features))

    def result(self) -> Faithfulness:
        maps = self._maps(self.tests, _MAPS)
        random, areas, curves = self._areas(maps)
        stability = self._stability(maps)
        lungs, lungs_from = self._lungs(self.tests)
        correct = self.tests.table["label"].to_numpy() == np.array(self.classifier.classes)[self.tests.targets]
        marked, others = self._marked(self.tests, lungs, correct), self._others()
        other_maps = self._maps(others, _OTHERS) if others else {}
        other_marked = self._marked(others, self._lungs(others)[0], True) if others else None
        stages = self._randomisation(maps)  # the last that needs the model
        lung_rows = np.array([row for row in self.random if lungs[row] is not None], int)
        known_lungs = [mask for row in lung_rows if (mask := lungs[row]) is not None]
        checks = {}
        for name in self.names:
            means = [(stage, self._mean(values, self.sample[:SHUFFLED])) for stage, values in stages[name]]
            checks[name] = MethodChecks(
                deletion=self._known_mean(areas[name][:, 0], self.sample),
                insertion=self._known_mean(areas[name][:, 1], self.sample),
                over_random=self._known_mean(np.diff(areas[name] - random)[:, 0], self.sample),
                stability=self._known_mean(stability[name], self.sample),
                random_weights=means[-1][1] if means else None,
                stages=[(stage, mean.value if mean else None) for stage, mean in means],
                in_lungs=self._mean(pointing_game.energy(maps[name][lung_rows], known_lungs), lung_rows),
                lesions=marked.check(maps[name], other_marked, other_maps.get(name)),
                over_chance=marked.over_chance(maps[name]),
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
            random_point=marked.check_baseline(localisation.random_point, other_marked),
            lung_centres=marked.check_baseline(localisation.lung_centres, other_marked),
            curves=curves,
        )

    def _features(self, pixels: np.ndarray, stage: str) -> np.ndarray:
        """Return the feature maps of pixels, float32 (n, h, w, c)."""
        batches = [pixels[start : start + extract.BATCH] for start in range(0, len(pixels), extract.BATCH)]
        found: list[np.ndarray] = []
        for maps in predict_stream(self.features, batches):
            found.append(maps)
            self.progress(stage, sum(map(len, found)), len(pixels))
        return np.concatenate(found)

    def _maps(self, images: _Images, stage: str) -> Maps:
        """Return the heatmaps of every method."""
        maps = self._cam_maps(images, self.classifier.head)
        for name in self.names:
            if METHODS[name].perturbation_fn:
                rows = range(len(images.table))
                maps[name] = np.stack([self._perturbation_map(name, images, k, stage) for k in rows])
        return maps

    def _cam_maps(self, images: _Images, head: "keras.Model") -> Maps:
        """Return the heatmaps of the methods that use gradients, through a head."""
        from cxrcore.explain.gradients import HeadGradients, target_heatmaps

        choices = layers.choices(self.config)
        found: Maps = {}
        for pooled in (False, True):
            fixed = [methods.fixed_layer(name, choices) == layers.POOLED for name in self.cam_names]
            names = [name for name, at_pool in zip(self.cam_names, fixed, strict=True) if at_pool == pooled]
            if names:
                gradient_model = HeadGradients(head, pooled)
                found |= target_heatmaps(gradient_model, images.features, names, images.targets, images.probabilities)
        return found

    def _perturbation_map(self, name: str, images: _Images, k: int, stage: str) -> np.ndarray:
        self.progress(stage, k, len(images.table))
        score = np.eye(len(self.classifier.classes), dtype=np.float32)[[images.targets[k]]]
        explanation = self.explainer.explain_pixels(images.pixels[k], self.config.tap, name, lambda _: score)
        return np.asarray(explanation.heatmaps[0])

    def _areas(self, maps: Maps) -> tuple[np.ndarray, Maps, Curves]:
        """Return the areas under the deletion and insertion curves of the sample, (n, 2), of random maps and of each
        method, and the mean curves.
        """
        found = []
        for done, row in enumerate(self.sample, 1):
            heatmaps = [deletion_insertion.random_map(self.rng), *(maps[name][row] for name in self.names)]
            target = int(self.tests.targets[row])
            found.append(deletion_insertion.curves(self._probabilities, self.tests.pixels[row], heatmaps, target))
            self.progress(_CURVES, done, len(self.sample))
        curves = np.stack(found, axis=1)  # by map, image, kind and step
        random, *areas = deletion_insertion.areas(curves)
        random_curves, *means = [MeanCurves(*mean.tolist()) for mean in curves.mean(axis=1)]
        of_methods = dict(zip(self.names, means, strict=True))
        return random, dict(zip(self.names, areas, strict=True)), Curves(of_methods, random_curves)

    def _probabilities(self, pixels: np.ndarray) -> np.ndarray:
        return self.classifier.head_probabilities(predict(self.features, pixels))

    def _stability(self, maps: Maps) -> Maps:
        """Return the rank correlations (n,) by method with the maps of the sample with noise."""
        sample = self.tests.subset(self.sample)
        noisy = np.clip(sample.pixels + self.rng.normal(0, NOISE, sample.pixels.shape), 0, 255).astype(np.uint8)
        after = self._maps(replace(sample, pixels=noisy, features=self._features(noisy, _NOISE)), _NOISE)
        return {name: _correlations(maps[name][self.sample], after[name]) for name in self.names}

    def _randomisation(self, maps: Maps) -> dict[str, list[tuple[str, np.ndarray]]]:
        """Return the rank correlations (n,) by method, after each stage of shuffling the weights of a copy.

        Only of methods that use gradients: the others would take too long at every stage.
        """
        rows = self.sample[:SHUFFLED]
        model, taps = saved_model.load(self.run, copy=True), layers.single_taps(self.config)
        found: dict[str, list[tuple[str, np.ndarray]]] = {name: [] for name in self.names}
        images = self.tests.subset(rows)
        for done, stage in enumerate(randomisation.stages(model, taps), 1):
            if done > 1:  # the first stage is the head alone
                images = replace(images, features=predict(model.get_layer("features"), images.pixels))
            after = self._cam_maps(images, model.get_layer("head"))
            for name in self.cam_names:
                found[name].append((stage, _correlations(maps[name][rows], after[name])))
            self.progress(_SHUFFLED, done, len(taps) + 1)
        return found

    def _lungs(self, images: _Images) -> tuple[list[np.ndarray | None], Message]:
        """Return the lungs of each image, cropped as it is, or None, and where they come from."""
        found, lungs_from = lung_masks.drawn_first(images.table, images.raw)
        cropped = [
            None if mask is None else _crop(mask, box) for mask, box in zip(found, self._crops(images), strict=True)
        ]
        return [mask if mask is not None and mask.any() else None for mask in cropped], lungs_from

    def _marked(self, images: _Images, lungs: Sequence[np.ndarray | None], among: np.ndarray | bool) -> MarkedImages:
        """Return those `among` the images whose lesions are known; the masks are cropped as the images are."""
        crops, lesions = self._crops(images), {}
        for row in np.flatnonzero((images.table["lesions"] != "") & among).tolist():
            mask = known_mask(images.table["lesions"][row])
            if mask is not None and (cropped := _crop(mask, crops[row])).any():
                lesions[row] = cropped
        # Methods are compared with the baselines, which need the lungs, on the same images.
        rows = np.array([row for row in lesions if lungs[row] is not None] or [*lesions], int)
        patients = images.table["patient"].to_numpy()[rows]
        return MarkedImages(rows, patients, [lesions[row] for row in rows], [lungs[row] for row in rows])

    def _others(self) -> _Images | None:
        """Return images of which none was tested, with lesions, as many as there may be; None if there is none."""
        table = _other_images(self.run.table)
        rows = np.sort(self.rng.permutation(len(table))[: _most(self.names)])
        return self._load(table.iloc[rows].reset_index(drop=True), _OTHERS) if len(rows) else None

    def _crops(self, images: _Images) -> list[image_transforms.Box]:
        if image_transforms.changes_frame(self.config.image_transform):
            return image_transforms.boxes(images.raw, self.config.image_transform)
        return [image_transforms.WHOLE] * len(images.raw)

    def _mean(self, values: np.ndarray, rows: np.ndarray) -> Metric | None:
        return intervals.mean(values, self.tests.table["patient"].to_numpy()[rows])

    def _known_mean(self, values: np.ndarray, rows: np.ndarray) -> Metric:
        return self._mean(values, rows) or Metric(None)


def _crop(mask: np.ndarray, box: image_transforms.Box) -> np.ndarray:
    if box == image_transforms.WHOLE:
        return mask
    return image_transforms.cut(mask.astype(np.uint8) * 255, box) > 127


def _correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    pairs = zip(first, second, strict=True)
    return np.array([randomisation.rank_correlation(*pair) for pair in pairs])
