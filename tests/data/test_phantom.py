import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from cxrcore.cli import app
from cxrcore.data import dataset, split
from cxrcore.data.classes import TUTORIAL
from cxrcore.data.images import load_mask
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.data.phantom.images import BACKBONE_STREAM, PhantomSpec, generate, specs
from cxrcore.data.phantom.lesions import DISEASES
from cxrcore.errors import UserError

# Of patient 3, image 1, seed 7, before there were other diseases: every 36th pixel, the areas of lungs and lesions.
PIXELS = {
    "COVID": (
        "049c8dcea08606842b3ec4203d49963346d941247e8c4f33ff3d6e90953a3affb54f90977f5dffc938a4b5bbadffb2c0b7",
        25495,
        4011,
    ),
    "NORMAL": (
        "014b98be9f0e05523835c44678128d5135d03333579d2d57ed493c839d4c6effbd3693a9a390ffc33894bbc3c3ffbebda5",
        22545,
        0,
    ),
    "OTHER INFECTION": (
        "040885a6830b080a8150ae6682100a819ea832442d154439b84032633a2f37cb9636724c898ccc9e637b589193be95907f",
        17854,
        1606,
    ),
}


def test_tutorial_diseases_come_first():
    assert DISEASES[:3] == TUTORIAL and len(DISEASES) == 10


@pytest.mark.parametrize("disease", PIXELS)
def test_images_of_a_seed_stay_the_same(disease):
    """Within one grey value and a few pixels: the last bits of exp and cos differ between processors."""
    phantom = generate(PhantomSpec(disease, 3, 1), seed=7)
    pixels, lungs, lesions = PIXELS[disease]
    before = np.frombuffer(bytes.fromhex(pixels), np.uint8).reshape(7, 7)
    assert cv2.absdiff(phantom.image[16::36, 16::36].copy(), before.copy()).max() <= 1
    assert np.count_nonzero(phantom.lungs) == pytest.approx(lungs, abs=3)
    assert np.count_nonzero(phantom.lesions) == pytest.approx(lesions, abs=3)


def test_same_spec_gives_same_pixels_in_any_order():
    spec = PhantomSpec("COVID", 3, 1)
    first = generate(spec, seed=1)
    generate(PhantomSpec("NORMAL", 0, 0), seed=9)
    assert (first.image == generate(spec, seed=1).image).all()
    assert (first.image != generate(spec, seed=2).image).any()


def test_backbone_stream_differs_from_dataset_stream():
    spec = PhantomSpec("OTHER INFECTION", 0, 0)
    assert (generate(spec, 0).image != generate(spec, 0, stream=BACKBONE_STREAM).image).any()


@pytest.mark.parametrize("disease", TUTORIAL)
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


def _drawn(disease):
    for patient in range(10):
        phantom = generate(PhantomSpec(disease, patient, 0), seed=4)
        yield phantom.image.astype(float), phantom.lungs > 0, phantom.lesions > 0


@pytest.mark.parametrize("disease", [name for name in DISEASES[3:] if name != "CARDIOMEGALY"])
def test_lesions_lie_in_the_lungs(disease):
    for _, lungs, lesions in _drawn(disease):
        assert lesions.sum() > 50
        assert not (lesions & ~lungs).any()


def test_effusion_fills_the_base_of_one_lung():
    for image, lungs, lesions in _drawn("EFFUSION"):
        columns, rows = np.flatnonzero(lesions.any(axis=0)), np.flatnonzero(lesions.any(axis=1))
        side = slice(0, 128) if columns.mean() < 128 else slice(128, 256)
        assert lesions[:, side].sum() == lesions.sum(), "one-sided"
        lung_rows = np.flatnonzero(lungs[:, side].any(axis=1))
        assert rows.max() == lung_rows.max() and rows.min() > np.mean([lung_rows.min(), lung_rows.max()])
        assert image[lesions].mean() > image[lungs & ~lesions].mean() + 40


def test_surface_of_an_effusion_rises_to_the_side():
    for _, _, lesions in _drawn("EFFUSION"):
        columns = np.flatnonzero(lesions.any(axis=0))
        surface = lesions.argmax(axis=0)[columns]
        inner, outer = (surface[0], surface[-1])[:: 1 if columns.mean() > 128 else -1]
        assert outer < inner - 4


@pytest.mark.parametrize(("disease", "least", "most"), [("NODULE", 12, 23), ("MASS", 24, 50)])
def test_nodule_and_mass_are_round_and_of_their_size(disease, least, most):
    """In pixels: 2 x 0.055 x 128 x 0.9 = 13 to 2 x 0.080 x 128 x 1.08 = 22 for a nodule; a mass is twice as wide."""
    for image, lungs, lesions in _drawn(disease):
        height, width = np.ptp(np.argwhere(lesions), axis=0) + 1
        assert least <= height <= most and least <= width <= most and 0.7 < width / height < 1.4
        assert lesions.sum() / (height * width) == pytest.approx(np.pi / 4, abs=0.1)
        assert image[lesions].mean() > image[lungs & ~lesions].mean() + 25


def test_heart_is_wider_than_half_the_chest_in_cardiomegaly():
    for _, lungs, heart in _drawn("CARDIOMEGALY"):
        chest = np.ptp(np.flatnonzero(lungs.any(axis=0))) + 1
        width = np.ptp(np.flatnonzero(heart.any(axis=0))) + 1
        assert 0.5 < width / chest < 0.75
        assert (heart & lungs).sum() > 0.5 * heart.sum(), "the lungs reach behind the heart"


def test_pneumothorax_is_dark_and_at_the_side_of_one_lung():
    for image, lungs, air in _drawn("PNEUMOTHORAX"):
        left = np.flatnonzero(air.any(axis=0)).mean() < 128
        lung = lungs.copy()
        lung[:, 128:] &= not left
        lung[:, :128] &= left
        edge = np.flatnonzero(lung.any(axis=0))[0 if left else -1]
        assert air[:, edge].any() and air.sum() == (air & lung).sum()
        rows = np.flatnonzero(air.any(axis=1))
        assert rows.min() == np.flatnonzero(lung.any(axis=1)).min(), "at the apex"
        assert image[air].mean() < min(image[lung & ~air].mean(), image[lungs & ~lung].mean()) - 12


def test_atelectasis_is_thin_plates_at_one_base():
    for _, lungs, plates in _drawn("ATELECTASIS"):
        count, _, boxes, _ = cv2.connectedComponentsWithStats(plates.astype(np.uint8))
        assert 2 <= count <= 5
        rows, columns = np.nonzero(plates)
        lung_rows = np.flatnonzero(lungs.any(axis=1))
        assert rows.min() > np.mean([lung_rows.min(), lung_rows.max()])
        assert columns.max() < 128 or columns.min() >= 128
        assert (boxes[1:, cv2.CC_STAT_AREA] / boxes[1:, cv2.CC_STAT_WIDTH] < 8).all(), "thickness in pixels"


def test_fibrosis_is_bilateral_and_in_the_lower_half():
    for image, lungs, net in _drawn("FIBROSIS"):
        rows, columns = np.nonzero(net)
        assert (columns < 128).mean() == pytest.approx(0.5, abs=0.3)
        assert rows.mean() > np.nonzero(lungs)[0].mean() + 20
        rough = np.abs(image - cv2.GaussianBlur(image, (0, 0), 3))
        assert rough[net].mean() > 1.2 * rough[lungs & ~net].mean()


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
    for disease in TUTORIAL:
        sides = {bool(generate(PhantomSpec(disease, p, 0), 0).image[6:48, :32].max() > 220) for p in range(12)}
        assert sides == {True, False}


def test_phantom_dataset_on_disk(phantom):
    assert phantom.counts() == {"COVID": 20, "NORMAL": 20, "OTHER INFECTION": 20}
    assert phantom.is_phantom
    assert phantom.usable["patient"].nunique() == 30
    assert phantom.usable["sha256"].nunique() == 60
    row = phantom.usable[phantom.usable["label"] == "COVID"].iloc[0]
    assert load_mask(Path(row["lesions"])).any() and load_mask(Path(row["lungs"])).shape == (256, 256)
    assert (phantom.usable["lesions"] == "").sum() == 20
    part = split.by_patient(phantom.usable, 0.2, 0.1, 0)
    assert (part == split.TEST).sum() == 12


def test_classes_are_chosen_and_keep_their_order(home):
    data = phantoms.create("five", 3, 1, classes=("NODULE", "NORMAL", "FIBROSIS"), planted_class="FIBROSIS")
    assert data.classes == ["NODULE", "NORMAL", "FIBROSIS"]
    assert data.info.phantom.classes == ("NODULE", "NORMAL", "FIBROSIS")
    assert data.counts() == {"NODULE": 3, "NORMAL": 3, "FIBROSIS": 3}
    table = data.usable.set_index("label")
    assert (table.loc["NORMAL", "lesions"] == "").all() and (table.loc["NODULE", "lesions"] != "").all()
    alone = phantoms.create("two", 3, 1, classes=("NODULE", "MASS"))
    assert set(alone.usable["sha256"]) & set(data.usable["sha256"]) == set(table.loc["NODULE", "sha256"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": ["NORMAL"]}, "needs 2 to"),
        ({"classes": ["NORMAL", "NORMAL"]}, "distinct"),
        ({"classes": ["NORMAL", "nodule"]}, "expected some of COVID, .*Received: nodule"),
        ({"classes": ["NORMAL", "NODULE"], "planted_class": "COVID"}, "one of NORMAL, NODULE. Received: 'COVID'"),
    ],
)
def test_selection_is_refused(home, options, message):
    with pytest.raises(UserError, match=message):
        phantoms.create("x", 3, 1, **options)
    assert dataset.names() == []


def test_command_generates_phantoms(home):
    words = "data phantom hearts --classes CARDIOMEGALY,NORMAL --patients 3 --images 2 --seed 4 --planted-class NORMAL"
    result = CliRunner().invoke(app, [*words.split(), "--json"], catch_exceptions=False)
    assert json.loads(result.stdout) == {"dataset": "hearts", "classes": {"CARDIOMEGALY": 6, "NORMAL": 6}}
    settings = dataset.load("hearts").info.phantom
    assert (settings.seed, settings.patients, settings.images, settings.planted_class) == (4, 3, 2, "NORMAL")


def test_existing_name_is_refused_and_kept(phantom):
    with pytest.raises(UserError, match="exists already"):
        phantoms.create("phantom", 3, 1)
    assert len(dataset.load("phantom").usable) == 60


def test_replace_replaces_the_dataset(phantom):
    assert len(phantoms.create("phantom", 3, 1, replace=True).usable) == 9
