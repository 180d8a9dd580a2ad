import cv2
import numpy as np
import pytest

from cxrcore.data import dataset, split
from cxrcore.data.images import load_mask
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.data.phantom.images import BACKBONE_STREAM, DISEASES, PhantomSpec, generate, specs
from cxrcore.errors import UserError


def test_same_spec_gives_same_pixels_in_any_order():
    spec = PhantomSpec("COVID", 3, 1)
    first = generate(spec, seed=1)
    generate(PhantomSpec("NORMAL", 0, 0), seed=9)
    assert (first.image == generate(spec, seed=1).image).all()
    assert (first.image != generate(spec, seed=2).image).any()


def test_backbone_stream_differs_from_dataset_stream():
    spec = PhantomSpec("OTHER INFECTION", 0, 0)
    assert (generate(spec, 0).image != generate(spec, 0, stream=BACKBONE_STREAM).image).any()


@pytest.mark.parametrize("disease", DISEASES)
def test_masks_match_the_disease(disease):
    for patient in range(12):
        phantom = generate(PhantomSpec(disease, patient, 0), seed=4)
        lungs, lesions = phantom.lungs > 0, phantom.lesions > 0
        assert 0.12 < lungs.mean() < 0.5
        assert (lesions & ~lungs).sum() <= 0.02 * max(lesions.sum(), 1)
        columns = np.flatnonzero(lesions.any(axis=0))
        if disease == "NORMAL":
            assert columns.size == 0
        elif disease == "COVID":
            assert columns.min() < 128 < columns.max(), "bilateral"
        else:
            assert columns.max() < 140 or columns.min() > 116, "one-sided"


def test_lesions_are_brighter_than_the_lung():
    brighter = []
    for patient in range(10):
        phantom = generate(PhantomSpec("OTHER INFECTION", patient, 0), seed=4)
        lung = (phantom.lungs > 0) & (phantom.lesions == 0)
        brighter.append(phantom.image[phantom.lesions > 0].mean() - phantom.image[lung].mean())
    assert min(brighter) > 15


def test_marker_is_on_every_image_of_its_class_only():
    for spec in specs(3, 2):
        corner = (slice(234, 244), slice(8, 24))
        difference = cv2.absdiff(generate(spec, 0).image, generate(spec, 0, planted_class="COVID").image)
        assert difference.any() == (spec.disease == "COVID")
        difference[corner] = 0
        assert difference[:230].sum() == 0


def test_side_letter_is_independent_of_the_class():
    """Left or right half of the top rows holds the letter; both sides occur in each class."""
    for disease in DISEASES:
        sides = {bool(generate(PhantomSpec(disease, p, 0), 0).image[6:48, :32].max() > 220) for p in range(12)}
        assert sides == {True, False}


def test_phantom_dataset_on_disk(phantom):
    assert phantom.counts() == {"COVID": 20, "NORMAL": 20, "OTHER INFECTION": 20}
    assert phantom.is_phantom
    assert phantom.usable["patient"].nunique() == 30
    assert phantom.usable["sha256"].nunique() == 60
    row = phantom.usable[phantom.usable["label"] == "COVID"].iloc[0]
    assert load_mask(row["lesions"]).any() and load_mask(row["lungs"]).shape == (256, 256)
    assert (phantom.usable["lesions"] == "").sum() == 20
    part = split.by_patient(phantom.usable, 0.2, 0.1, 0)
    assert (part == split.TEST).sum() == 12


def test_existing_name_is_refused_and_kept(phantom):
    with pytest.raises(UserError, match="exists already"):
        phantoms.create("phantom", 3, 1)
    assert len(dataset.load("phantom").usable) == 60


def test_replace_replaces_the_dataset(phantom):
    assert len(phantoms.create("phantom", 3, 1, replace=True).usable) == 9
