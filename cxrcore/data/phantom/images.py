"""Series of phantoms: seeded patients and their images, reproducible one by one and in any order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cxrcore.data.classes import TUTORIAL
from cxrcore.data.phantom.draw import Patient, Phantom, draw
from cxrcore.data.phantom.lesions import DISEASES

# The first word of every seed. CXRTiny is trained on a stream of its own, so that no dataset of a user, whatever its
# seed, holds an image or a patient that the backbone was trained on.
DATASET_STREAM, BACKBONE_STREAM = 1, 2


@dataclass(frozen=True)
class PhantomSpec:
    """Which image: the disease, the patient's number within it and the image's number."""

    disease: str
    patient: int
    number: int

    @property
    def name(self) -> str:
        """A file name without suffix, for example `covid_p007_2`."""
        return f"{self.disease.split()[0].lower()}_p{self.patient:03d}_{self.number}"


def specs(patients: int, images: int, diseases: Sequence[str] = TUTORIAL) -> Iterator[PhantomSpec]:
    """Yield the images of `patients` patients of each of `diseases` with `images` images each, patient by patient."""
    for patient in range(patients):
        for disease in diseases:
            for number in range(images):
                yield PhantomSpec(disease, patient, number)


def generate(spec: PhantomSpec, seed: int, planted_class: str | None = None, stream: int = DATASET_STREAM) -> Phantom:
    """Draw the image of `spec`; the same arguments give the same pixels.

    `planted_class` names the disease whose images all carry the confounding marker (see `draw`).
    """
    patient_seed = [stream, seed, DISEASES.index(spec.disease), spec.patient]
    patient = Patient.sample(spec.disease, np.random.default_rng(patient_seed))
    rng = np.random.default_rng([*patient_seed, spec.number])
    return draw(patient, rng, marker=spec.disease == planted_class)
