"""Series of phantoms: seeded patients and their images, reproducible one by one and in any order."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cxrcore.data.phantom.draw import Patient, Phantom, draw
from cxrcore.data.phantom.lesions import Disease

DISEASES: tuple[Disease, ...] = ("COVID", "NORMAL", "OTHER INFECTION")
# The first word of every seed. CXRTiny learns from its own stream, so that no dataset a user
# draws, whatever its seed, can hold a picture or a patient the backbone has seen.
DATASET_STREAM, BACKBONE_STREAM = 1, 2


@dataclass(frozen=True)
class PhantomImage:
    """Which picture: the disease, the patient's number within it and the picture's number."""

    disease: Disease
    patient: int
    number: int

    @property
    def name(self) -> str:
        """A file name without suffix, for example `covid_p007_2`."""
        return f"{self.disease.split()[0].lower()}_p{self.patient:03d}_{self.number}"


def shots(patients: int, images: int) -> Iterator[PhantomImage]:
    """Yield the shots of `patients` patients a disease with `images` pictures each, patient by patient."""
    for patient in range(patients):
        for disease in DISEASES:
            for number in range(images):
                yield PhantomImage(disease, patient, number)


def take(shot: PhantomImage, seed: int, planted_class: str | None = None, stream: int = DATASET_STREAM) -> Phantom:
    """Draw `shot`; the same arguments give the same pixels.

    `planted_class` names the disease whose images all carry the planted marker (see `draw`).
    """
    person = [stream, seed, DISEASES.index(shot.disease), shot.patient]
    patient = Patient.sample(shot.disease, np.random.default_rng(person))
    rng = np.random.default_rng([*person, shot.number])
    return draw(patient, rng, planted_marker=shot.disease == planted_class)
