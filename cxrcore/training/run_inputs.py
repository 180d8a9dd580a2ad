"""What a run is trained on: the split table and the activations, as its config says."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.config.run_config import RunConfig
from cxrcore.data import dataset
from cxrcore.features import gpu_pass
from cxrcore.features.weights import Weights
from cxrcore.inference import saved_model
from cxrcore.training import resampling, training_data
from cxrcore.training.pooled_data import PooledData
from cxrcore.training.run_recorder import RunRecorder
from cxrcore.training.training_data import TrainingData


@dataclass(frozen=True)
class RunInputs:
    """Data and weights of a run.

    Attributes:
        config: of the run, with the version of the dataset.
        dataset: of that version.
        splits: the part of each image in every fold or repeat.
        weights: of the backbone.
    """

    config: RunConfig
    dataset: dataset.Dataset
    splits: list[pd.Series]
    weights: Weights

    @cached_property
    def table(self) -> pd.DataFrame:
        """The images in use, with their parts in the first split."""
        return self.dataset.usable.assign(split=self.splits[0])

    def activations(
        self, recorder: RunRecorder, backbone: Callable[[], Any] | None = None
    ) -> TrainingData | PooledData:
        """Return the activations for all splits, computing what is not kept yet.

        `backbone`, see `features`, is called if it is needed.

        Raises:
            UserError: an image is missing, or the disk is full.
        """
        table, classes = self.table, self.dataset.classes
        trained = np.any([parts == dataset.TRAIN for parts in self.splits], axis=0)
        if self.config.head == "logistic":
            return PooledData(self.config, table, trained, classes, self.weights, recorder)
        backbone = backbone or cache(partial(features, self.config, self.weights))
        return training_data.build_training_data(self.config, table, trained, classes, self.weights, backbone, recorder)


def read(config: RunConfig, recorder: RunRecorder) -> RunInputs:
    """Return the inputs of a run.

    Raises:
        UserError: the config does not fit the dataset, or weights are missing.
    """
    recorder.stage("reading")
    data = dataset.load(config.dataset, config.dataset_version)
    data.check_key()
    config = config.model_copy(update={"dataset_version": data.version})
    splits = resampling.splits(config, data.usable)
    recorder.stage("weights")
    gpu_pass.find()
    return RunInputs(config, data, splits, config.resolve(recorder.download_progress))


def features(config: RunConfig, weights: Weights) -> Any:
    """Return the model from pixels to the feature maps; one that is fine-tuned is not shared with other runs."""
    key = config.key(weights.digest)
    return key.build(weights) if config.tune else saved_model.shared_features(key, weights)
