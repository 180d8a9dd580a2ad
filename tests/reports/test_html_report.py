"""What is taken away says what the run says, opens by itself and answers as the run does."""

import io
import re
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest
import yaml
from pypdf import PdfReader

from cxrcore import i18n
from cxrcore.config import run_config
from cxrcore.data.images import load
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.errors import UserError
from cxrcore.evaluation import external
from cxrcore.explain.explainer import Classifier
from cxrcore.reports import artifacts, html_report, model_card, prediction_grid, tflite
from cxrcore.reports.run_summary import RunSummary
from cxrcore.runs import Run
from cxrcore.training import pipeline


def _text(html):
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_the_report_says_what_the_run_says(trained):
    facts, heard = RunSummary(trained), []
    html = html_report.render(facts, lambda done, total: heard.append((done, total)))
    text, accuracy = _text(html), facts.metrics["accuracy"]
    assert heard[-1] == (12, 12)
    assert f"{accuracy['successes']} of 12" in text and f"{accuracy['value']:.1%}" in text
    for part in ("not for clinical use", "drawn by this program", "The shortcut audit was not run", "Not tested",
                 "The dataset was not checked", RunSummary(trained).command, "backbone:"):  # fmt: skip
        assert part in text
    assert html.count('class="picture') == 12 and html.count('class="picture wrong"') == 12 - accuracy["successes"]
    assert html.count("data:image/jpeg;base64,") == 24  # each image and its overlay
    page = re.sub(r"<script\b.*?</script>", "", html, flags=re.DOTALL)
    assert not re.search(r"(src|href)=\"(https?:)?//", page)  # nothing from elsewhere


def test_names_of_files_and_datasets_cannot_become_html(trained):
    table = pd.read_parquet(trained.folder / "predictions.parquet")
    trained.write_table("predictions.parquet", table.assign(path="/x/<img src=x onerror=alert(1)>.png"))
    html = html_report.render(RunSummary(trained))
    assert "<img src=x" not in html and "&lt;img src=x" in html
    assert "can no longer be read" in html


def test_the_report_and_the_card_in_portuguese(trained):
    i18n.use("pt")
    text, described = _text(html_report.render(RunSummary(trained))), model_card.render(RunSummary(trained))
    assert "INFECÇÕES" in text and "OTHER INFECTION" not in text
    assert "Matriz de confusão" in text and "Confusion" not in text
    assert "Para pesquisa e ensino, não para uso clínico." in described and "Limits" not in described


def test_the_card_names_use_data_metrics_and_limits(trained):
    text, facts = model_card.render(RunSummary(trained)), RunSummary(trained)
    for part in ("Intended use", "Not to diagnose", "Licence of the weights: MIT", "COVID 20, NORMAL 20", "Metrics",
                 f"{facts.metrics['accuracy']['successes']} of 12", "By subgroup", "What this result"):  # fmt: skip
        assert part in text


def test_what_was_found_elsewhere_is_in_the_report(trained):
    phantoms.create("other", patients=3, images=1, seed=99)
    external.evaluate(trained, "other")
    text = _text(html_report.render(RunSummary(trained)))
    assert "On other it is right on" in text and "Not tested on data from elsewhere: expect" in text


def test_the_pdf_names_every_prediction(trained):
    facts = RunSummary(trained)
    text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(prediction_grid.render(facts))).pages)
    assert text.count("Predicted:") == 12 and "drawn, not X-rays of people" in text
    for label in facts.classes:
        assert text.count(f"True: {label}") == (facts.table["label"] == label).sum()
    i18n.use("pt")
    text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(prediction_grid.render(facts))).pages)
    assert text.count("Previsto:") == 12 and "INFECÇÕES" in text


def test_tensorflow_lite_answers_as_keras_does(trained):
    content, classifier = tflite.convert(trained), Classifier(trained)
    pixels = np.stack([load(path, 64) for path in map(type(trained.folder), trained.predictions("test")["path"])])
    noise = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3)).astype(np.uint8)
    for batch in (pixels, noise):
        assert np.abs(tflite.answers(content, batch) - classifier.probabilities(batch)).max() < 1e-4


@pytest.mark.parametrize("answer", [1 / 3, np.nan])
def test_a_lite_model_that_differs_is_not_given_away(trained, monkeypatch, answer):
    monkeypatch.setattr(tflite, "answers", lambda content, pixels: np.full((len(pixels), 3), answer, np.float32))
    with pytest.raises(UserError, match="differs from Keras's by"):
        tflite.convert(trained)


def test_everything_is_one_zip_and_its_config_repeats_the_run(trained, home, tmp_path):
    heard = []
    content = artifacts.everything(RunSummary(trained), lambda stage, done, total: heard.append(stage))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name.removeprefix(f"{trained.name}-") for name in archive.namelist()]
        assert names == [part.file for part in artifacts.ARTIFACTS.values()]
        archive.extractall(tmp_path)
    assert f"{trained.name}-config.yaml" in RunSummary(trained).command
    assert set(heard) == {part.title for part in artifacts.ARTIFACTS.values()}
    table = pd.read_csv(tmp_path / f"{trained.name}-predictions.csv")
    assert (
        "patient" in table and set(table["patient"]) == set(range(1, 7)) and not table["file"].str.contains("/").any()
    )
    assert table["predicted"].tolist() == trained.predictions("test")["predicted"].tolist()
    model = keras.models.load_model(tmp_path / f"{trained.name}-model.keras")
    assert model.input_shape == (None, 64, 64, 3)
    values = run_config.read(tmp_path / f"{trained.name}-config.yaml")
    assert values == yaml.safe_load(yaml.safe_dump(trained.config))
    again = pipeline.run(run_config.make(**values), tmp_path / "again")
    assert again.config == trained.config
    assert [epoch["val_loss"] for epoch in again.epochs] == [epoch["val_loss"] for epoch in trained.epochs]


def test_a_run_without_results_is_said(trained):
    (trained.folder / "metrics.json").unlink()
    for make in (html_report.render, model_card.render, prediction_grid.render):
        with pytest.raises(UserError, match="has no results"):
            make(RunSummary(Run(trained.folder)))


def test_a_run_whose_images_are_gone_can_still_be_taken_away(trained):
    table = pd.read_parquet(trained.folder / "predictions.parquet")
    trained.write_table("predictions.parquet", table.assign(path="/gone/x.png"))
    facts = RunSummary(trained)
    with zipfile.ZipFile(io.BytesIO(artifacts.everything(facts, lambda stage, done, total: None))) as archive:
        pdf = archive.read(f"{trained.name}-grid.pdf")
    text = PdfReader(io.BytesIO(pdf)).pages[0].extract_text()
    assert text.count("can no longer be read") == 12 == text.count("Predicted:")


def test_values_from_data_stay_text_in_the_card(trained):
    table = pd.read_parquet(trained.folder / "predictions.parquet")
    table["source"] = ["a|b\n<script>![x](http://x)" if k % 2 else "c" for k in range(len(table))]
    trained.write_table("predictions.parquet", table)
    text = model_card.render(RunSummary(trained))
    assert "a\\|b \\<script\\>!\\[x\\](http://x)" in text
