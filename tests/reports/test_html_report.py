"""Exported files show the results of the run, need no network, and the models predict as the run does."""

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
from cxrcore.inference.classifier import Classifier
from cxrcore.reports import artifacts, html_report, model_card, prediction_grid, tflite
from cxrcore.reports.run_summary import RunSummary
from cxrcore.runs import Run
from cxrcore.training import pipeline


def _text(html):
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_report_shows_the_results_of_the_run(trained):
    summary, heard = RunSummary(trained), []
    html = html_report.render(summary, lambda done, total: heard.append((done, total)))
    text, accuracy = _text(html), summary.metrics.accuracy
    assert heard[-1] == (12, 12)
    assert f"{accuracy.successes} of 12" in text and f"{accuracy.value:.1%}" in text
    for part in ("not for clinical use", "synthetic images", "The shortcut audit was not run", "Not evaluated on other",
                 "This version of the dataset was not audited", summary.command, "backbone:"):  # fmt: skip
        assert part in text
    assert html.count('class="picture') == 12 and html.count('class="picture wrong"') == 12 - accuracy.successes
    assert html.count("data:image/jpeg;base64,") == 24  # each image and its overlay
    page = re.sub(r"<script\b.*?</script>", "", html, flags=re.DOTALL)
    assert not re.search(r"(src|href)=\"(https?:)?//", page)  # nothing from another host


def test_report_shows_the_flow_of_the_images(trained):
    html = html_report.render(RunSummary(trained))
    (svg,) = re.findall(r'<figure class="flow">(<svg .*?</svg>)</figure>', html)
    assert 'aria-label="Identified: 60. Left out: 0. Included: 60 (COVID 20, NORMAL 20, OTHER INFECTION 20)' in svg
    assert "test: 12" in svg and re.findall(r">(\d+)</text>", svg)[:2] == ["60", "60"]


def test_reports_and_file_names_use_the_title(trained):
    trained.describe(title="Ação: VGG16 / *best*")
    summary = RunSummary(trained)
    assert summary.config_file == "Acao-VGG16-best-config.yaml"
    assert artifacts.ARTIFACTS["pdf"].file_name(summary) == "Acao-VGG16-best-grid.pdf"
    assert "Evaluation report: Ação: VGG16 / *best*" in _text(html_report.render(summary))
    assert "# Model card: Ação: VGG16 / \\*best\\*" in model_card.render(summary)
    page = PdfReader(io.BytesIO(prediction_grid.render(summary))).pages[0].extract_text()
    assert "Predicted and true labels: Ação: VGG16 / *best*" in page


@pytest.mark.parametrize(("title", "stem"), [("", None), ("../../etc", "etc"), ("***", None), ("a" * 200, "a" * 60)])
def test_file_names_are_safe(trained, title, stem):
    trained.describe(title=title)
    assert RunSummary(trained).file_stem == (stem or trained.name)


def test_file_names_are_not_in_the_html(trained):
    table = trained.read_table("predictions.parquet")
    trained.write_table("predictions.parquet", table.assign(path="/x/<img src=x onerror=alert(1)>.png"))
    html = html_report.render(RunSummary(trained))
    assert "img src=x" not in html and trained.predictions("test")["sha256"][0][:12] in html


def test_report_and_card_in_portuguese(trained):
    i18n.use("pt")
    text, described = _text(html_report.render(RunSummary(trained))), model_card.render(RunSummary(trained))
    assert "OUTRA INFECÇÃO" in text and "OTHER INFECTION" not in text
    assert "Matriz de confusão" in text and "Confusion" not in text
    assert "Para pesquisa e ensino, não para uso clínico." in described


def test_card_has_use_data_metrics_and_limitations(trained):
    summary = RunSummary(trained)
    text = model_card.render(summary)
    for part in ("Intended use", "Not for diagnosis", "Licence of the weights: MIT", "COVID 20, NORMAL 20", "Metrics",
                 f"{summary.metrics.accuracy.successes} of 12", "Metrics by subgroup", "Limitations"):  # fmt: skip
        assert part in text


def test_external_validation_is_in_the_report(trained):
    phantoms.create("other", patients=3, images=1, seed=99)
    sentence = external.evaluate(trained, "other").sentence
    assert str(sentence) in _text(html_report.render(RunSummary(trained)))


def test_pdf_has_every_prediction(trained):
    summary = RunSummary(trained)
    text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(prediction_grid.render(summary))).pages)
    assert text.count("Predicted:") == 12 and "synthetic, not X-rays of people" in text
    for label in summary.classes:
        assert text.count(f"True: {label}") == (summary.table["label"] == label).sum()
    i18n.use("pt")
    text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(prediction_grid.render(summary))).pages)
    assert "Predicted:" not in text and "OUTRA INFECÇÃO" in text


def test_pdf_of_many_images_has_a_random_sample(trained, monkeypatch):
    monkeypatch.setattr(prediction_grid, "MOST", 5)
    summary, heard = RunSummary(trained), []
    content = prediction_grid.render(summary, progress=lambda done, total: heard.append((done, total)))
    text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
    assert text.count("True: ") == 5 and "5 of 12 images, chosen at random" in text
    assert heard == [(n, 5) for n in range(1, 6)]
    assert "chosen at random" not in PdfReader(io.BytesIO(_whole_pdf(summary, monkeypatch))).pages[0].extract_text()


def _whole_pdf(summary, monkeypatch):
    monkeypatch.setattr(prediction_grid, "MOST", 12)
    return prediction_grid.render(summary)


def test_tensorflow_lite_predicts_as_keras_does(trained):
    content, classifier = tflite.convert(trained), Classifier(trained)
    pixels = np.stack([load(path, 64) for path in map(type(trained.folder), trained.predictions("test")["path"])])
    noise = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3)).astype(np.uint8)
    for batch in (pixels, noise):
        assert np.abs(tflite.probabilities(content, batch) - classifier.probabilities(batch)).max() < 1e-4


@pytest.mark.parametrize("value", [1 / 3, np.nan])
def test_tensorflow_lite_model_that_differs_is_not_exported(trained, monkeypatch, value):
    monkeypatch.setattr(tflite, "probabilities", lambda content, pixels: np.full((len(pixels), 3), value, np.float32))
    with pytest.raises(UserError, match="differ from Keras's by"):
        tflite.convert(trained)


def test_zip_holds_all_artifacts_and_its_config_repeats_the_run(trained, home, tmp_path):
    heard = []
    content = artifacts.zip_all(RunSummary(trained), lambda stage, done, total: heard.append(stage))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name.removeprefix(f"{trained.name}-") for name in archive.namelist()]
        assert names == [artifact.file for artifact in artifacts.ARTIFACTS.values()]
        archive.extractall(tmp_path)
    assert f"{trained.name}-config.yaml" in RunSummary(trained).command
    assert set(heard) == {artifact.title for artifact in artifacts.ARTIFACTS.values()}
    table = pd.read_csv(tmp_path / f"{trained.name}-predictions.csv")
    assert set(table["patient"]) == set(range(1, 7)) and set(table["source"]) == {1}
    digests = trained.predictions("test")["sha256"]
    assert table["image"].tolist() == [digest[:12] for digest in digests] and "path" not in table
    assert table["predicted"].tolist() == trained.predictions("test")["predicted"].tolist()
    model = keras.models.load_model(tmp_path / f"{trained.name}-model.keras")
    assert model.input_shape == (None, 64, 64, 3)
    values = run_config.read(tmp_path / f"{trained.name}-config.yaml")
    assert values == yaml.safe_load(yaml.safe_dump(trained.config.plain()))
    again = pipeline.run(run_config.make(**values), tmp_path / "again")
    assert again.config == trained.config
    assert [epoch.val_loss for epoch in again.epochs] == [epoch.val_loss for epoch in trained.epochs]


def test_run_without_results_is_an_error(trained):
    (trained.folder / "metrics.json").unlink()
    for make in (html_report.render, model_card.render, prediction_grid.render):
        with pytest.raises(UserError, match="has no results"):
            make(RunSummary(Run(trained.folder)))


def test_run_whose_images_are_gone_is_exported(trained):
    table = trained.read_table("predictions.parquet")
    trained.write_table("predictions.parquet", table.assign(path="/gone/x.png"))
    summary = RunSummary(trained)
    with zipfile.ZipFile(io.BytesIO(artifacts.zip_all(summary, lambda stage, done, total: None))) as archive:
        pdf = archive.read(f"{trained.name}-grid.pdf")
    text = PdfReader(io.BytesIO(pdf)).pages[0].extract_text()
    assert text.count("can no longer be read") == 12 == text.count("Predicted:")


def test_values_from_data_are_escaped_in_the_card(trained):
    table = trained.read_table("predictions.parquet")
    table["view"] = ["a|b\n<script>![x](http://x)" if k % 2 else "c" for k in range(len(table))]
    trained.write_table("predictions.parquet", table)
    text = model_card.render(RunSummary(trained))
    assert "a\\|b \\<script\\>!\\[x\\](http://x)" in text
