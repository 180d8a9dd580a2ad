"""Can the picture be believed? Every method of a run, measured on test images.

    deletion, insertion  does what the map points at matter to the model, and more than a random map's choice?
    random_weights       does the map change when the weights are shuffled? (rank correlation, 0 is good)
    stability            does it stay when the image gets a little noise? (rank correlation, 1 is good)
    pointing             is its peak inside a lesion, where lesions are known?
    in_lesions, in_lungs how much of it lies inside the lesions, inside the lungs?

What is explained is always the predicted class, from the layer that the run learned from.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cxrcore import settings
from cxrcore.data.images import load_mask
from cxrcore.evaluation import intervals
from cxrcore.explain import deletion_insertion, faithfulness_summary, layers, pointing_game, randomisation
from cxrcore.explain.explainer import Classifier
from cxrcore.explain.gradients import HeadGradients, of_targets
from cxrcore.explain.layers import POOLED
from cxrcore.explain.methods import GRADIENT_METHODS, METHODS, fixed_layer
from cxrcore.features import extract, image_transforms, lung_masks
from cxrcore.features.keras_setup import keras
from cxrcore.features.predict import forward
from cxrcore.i18n import N_
from cxrcore.runs import Run

FILE = "faithfulness.json"
POINTED, PERTURBED, SHUFFLED = 200, 16, 8  # images at most: for masks, for curves and noise, for shuffled weights
NOISE = 2.55  # standard deviation in grey levels: 1 % of the range
Progress = Callable[[str, int, int], None]


def measure(
    run: Run, names: Sequence[str] = GRADIENT_METHODS, progress: Progress | None = None, seed: int = 0
) -> dict[str, Any]:
    """Return the checks of methods of a run, and keep them with it.

    Each check is `{"value", "ci95", "n"}`, a mean over images with its bootstrap interval (over patients), or None
    where it cannot be made; `over_random` is how much more insertion less deletion is than for a random map of the same
    image; `stages` is the rank correlation after each step of shuffling. Lesions count where the class is right.

    Raises:
        UserError: the run has no model, or an image is gone.
    """
    settings.require_writable()
    return _Measuring(run, names, progress or (lambda stage, done, total: None), seed).all()


class _Measuring:
    def __init__(self, run: Run, names: Sequence[str], progress: Progress, seed: int) -> None:
        self.run, self.names, self.progress = run, list(names), progress
        self.classifier, self.rng = Classifier(run), np.random.default_rng(seed)
        self.cleaning = run.config.get("cleaning", "")
        tests = run.table[run.table["split"] == "test"].reset_index(drop=True)
        order = np.sort(self.rng.permutation(len(tests))[:POINTED])
        self.tests = tests.iloc[order].reset_index(drop=True)
        paths = [Path(path) for path in self.tests["path"]]
        batches = extract.batches(paths, self.classifier.size, list(self.tests["sha256"]))
        self.raw = np.concatenate([*batches])
        self.pixels = self.classifier.seen(self.raw)
        self.probabilities = self.classifier.probabilities(self.pixels)
        self.targets = self.probabilities.argmax(axis=1)
        self.few = self.rng.permutation(len(self.tests))[:PERTURBED]

    def all(self) -> dict[str, Any]:
        maps = self._maps(self.pixels, N_("heatmaps"))
        checks: dict[str, dict[str, Any]] = {name: {} for name in self.names}
        random = self._curves(maps, checks)
        self._noise(maps, checks)
        self._shuffled(maps, checks)
        where = self._masks(maps, checks)
        found = {"methods": checks, "random": random, "lungs_from": where, "layer": self.run.config["tap"]}
        found |= faithfulness_summary.of(checks)
        self.run.write(FILE, found)
        return found

    def _maps(self, pixels: np.ndarray, stage: str, rows: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return the heatmaps (n, h, w) of every method for some of the test images, which may be altered."""
        rows = np.arange(len(pixels)) if rows is None else rows
        quick = [name for name in self.names if METHODS[name].cam_fn]
        found = _quick(self.classifier.model, self.run, quick, pixels, self.targets[rows], self.probabilities[rows])
        for name in (name for name in self.names if METHODS[name].perturbation_fn):
            found[name] = np.stack([self._asked(name, pixels, rows, number, stage) for number in range(len(pixels))])
        return found

    def _asked(self, name: str, pixels: np.ndarray, rows: np.ndarray, number: int, stage: str) -> np.ndarray:
        self.progress(stage, number, len(pixels))
        one = np.eye(len(self.classifier.classes), dtype=np.float32)[[self.targets[rows[number]]]]
        return self.classifier.explain_pixels(pixels[number], self.run.config["tap"], name, lambda _: one).heatmaps[0]

    def _curves(self, maps: dict[str, np.ndarray], checks: dict[str, dict[str, Any]]) -> dict[str, Any]:
        random = self._areas([deletion_insertion.random_map(self.rng) for _ in self.few], 0)
        for stage, name in enumerate(self.names, 1):
            found = self._areas(list(maps[name][self.few]), stage)
            checks[name] |= self._means(found) | {
                "over_random": self._mean(_matters(found) - _matters(random), self.few)
            }
        return self._means(random)

    def _areas(self, heatmaps: Sequence[np.ndarray], stage: int) -> np.ndarray:
        """Return deletion and insertion of each of the few images, (n, 2)."""
        areas = []
        for number, heatmap in zip(self.few, heatmaps, strict=True):
            ask, target = self.classifier.probabilities, int(self.targets[number])
            areas.append(deletion_insertion.areas(ask, self.pixels[number], heatmap, target))
            done, total = stage * len(self.few) + len(areas), (len(self.names) + 1) * len(self.few)
            self.progress(N_("deletion and insertion"), done, total)
        return np.array(areas)

    def _means(self, areas: np.ndarray) -> dict[str, Any]:
        return {name: self._mean(areas[:, k], self.few) for k, name in enumerate(("deletion", "insertion"))}

    def _noise(self, maps: dict[str, np.ndarray], checks: dict[str, dict[str, Any]]) -> None:
        quiet = self.pixels[self.few]
        noisy = np.clip(quiet + self.rng.normal(0, NOISE, quiet.shape), 0, 255).astype(np.uint8)
        after = self._maps(noisy, N_("noise"), self.few)
        for name in self.names:
            checks[name]["stability"] = self._mean(_correlations(maps[name][self.few], after[name]), self.few)

    def _shuffled(self, maps: dict[str, np.ndarray], checks: dict[str, dict[str, Any]]) -> None:
        """Only for methods that stand on a layer's map: the others would take too long at every stage."""
        rows, quick = self.few[:SHUFFLED], [name for name in self.names if METHODS[name].cam_fn]
        model, taps = keras.models.load_model(self.run.model_file), layers.taps(self.run.config)
        for name in self.names:
            checks[name] |= {"random_weights": None, "stages": []}
        for done, stage in enumerate(randomisation.stages(model, taps), 1):
            after = _quick(model, self.run, quick, self.pixels[rows], self.targets[rows], self.probabilities[rows])
            for name in quick:
                found = self._mean(_correlations(maps[name][rows], after[name]), rows)
                checks[name]["stages"].append([stage, found["value"] if found else None])
                checks[name]["random_weights"] = found
            self.progress(N_("shuffled weights"), done, len(taps) + 1)

    def _masks(self, maps: dict[str, np.ndarray], checks: dict[str, dict[str, Any]]) -> str:
        lesions = np.flatnonzero(self.tests["lesions"] != "")
        right = self.tests["label"].to_numpy() == np.array(self.classifier.classes)[self.targets]
        lesions = lesions[right[lesions]]
        drawn = [load_mask(Path(self.tests["lesions"][row])) for row in lesions]
        shown = np.array([number for number, mask in enumerate(drawn) if mask.any()], int)
        drawn, lesions = [drawn[number] for number in shown], lesions[shown]
        files = lung_masks.given(self.tests)
        found = lung_masks.of(self.tests, self.raw, files)
        where = lung_masks.origin(files, [mask is not None for mask in found])
        if image_transforms.moves(self.cleaning):  # a mask goes where its image goes
            boxes = image_transforms.boxes(self.raw, self.cleaning)
            found = [None if mask is None else _cut(mask, box) for mask, box in zip(found, boxes, strict=True)]
            drawn = [_cut(mask, boxes[row]) for mask, row in zip(drawn, lesions, strict=True)]
        rows = np.flatnonzero([mask is not None for mask in found])
        inside = [mask for mask in found if mask is not None]
        for name in self.names:
            checks[name]["pointing"] = (
                self._share(pointing_game.hits(maps[name][lesions], drawn)) if len(lesions) else None
            )
            checks[name]["in_lesions"] = self._mean(pointing_game.energy(maps[name][lesions], drawn), lesions)
            checks[name]["in_lungs"] = self._mean(pointing_game.energy(maps[name][rows], inside), rows)
        return where

    def _mean(self, values: np.ndarray, rows: np.ndarray) -> dict[str, Any] | None:
        return intervals.mean(values, self.tests["patient"].to_numpy()[rows])

    def _share(self, right: np.ndarray) -> dict[str, Any]:
        ci95 = list(intervals.wilson(int(right.sum()), len(right)))
        return {"value": float(right.mean()), "ci95": ci95, "n": len(right)}


def _quick(
    model: Any, run: Run, names: list[str], pixels: np.ndarray, targets: np.ndarray, probabilities: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the heatmaps (n, h, w) of methods that stand on a layer's map, through `model` as it is now."""
    head, choices = model.get_layer("head"), layers.choices(run.config)
    maps = forward(model.get_layer("features"), pixels)
    theirs = [name for name in names if fixed_layer(name, choices) == POOLED]
    found = of_targets(
        HeadGradients(head), maps, [name for name in names if name not in theirs], targets, probabilities
    )
    return (
        found | of_targets(HeadGradients(head, pooled=True), maps, theirs, targets, probabilities) if theirs else found
    )


def _cut(mask: np.ndarray, box: image_transforms.Box) -> np.ndarray:
    return image_transforms.cut(mask.astype(np.uint8) * 255, box) > 127


def _matters(areas: np.ndarray) -> np.ndarray:
    """Return insertion less deletion, (n,)."""
    return np.asarray(areas[:, 1] - areas[:, 0])


def _correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    pairs = zip(first, second, strict=True)
    return np.array([randomisation.rank_correlation(*pair) for pair in pairs])
