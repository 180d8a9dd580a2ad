"""The command line."""

import io
import json
import shutil
import subprocess
import sys
from contextlib import redirect_stderr
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cxrcore import runs
from cxrcore.cli import app, main, terminal
from cxrcore.evaluation import saved_model
from cxrcore.schema import to_plain

ROOT = Path(__file__).parent.parent


def cxr(*words):
    """Run a command in this process; return the JSON object of its last line."""
    result = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


def mistake(*words):
    """Run a command that must fail, as `cxr` does; return its one line on stderr."""
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(io.StringIO()) as stderr:
        patch.setattr(sys, "argv", ["cxr", *words])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 2, stderr.getvalue()
    (line,) = stderr.getvalue().strip().splitlines()
    return line


def test_a_mistake_ends_the_process_with_code_two_and_one_line():
    command = [sys.executable, "-m", "cxrcore", "evaluate", "latest"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr == "Error: There is no run 'latest'. `cxr runs list` lists the runs.\n"


def test_a_command_names_the_workspace(home):
    result = subprocess.run([sys.executable, "-m", "cxrcore", "runs", "list"], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0 and f"Workspace: {home}" in result.stderr


def test_train_prints_its_result(phantom):
    value = cxr("train", "--data", "phantom", "--size", "64", "--tap", "block5_out", "--seed", "1")
    assert set(value) >= {"run", "backbone", "n_train", "n_val", "n_test", "accuracy", "accuracy_ci95", "seconds"}
    assert (value["backbone"], value["n_train"] + value["n_test"]) == ("cxrtiny", 60)
    assert set(value["seconds"]) == {"features", "training", "total"}
    low, high = value["accuracy_ci95"]
    assert low <= value["accuracy"] <= high
    assert cxr("runs", "list")["runs"][0]["run"] == value["run"]


def test_evaluate_gives_the_stored_result(trained):
    value = cxr("evaluate", trained.name[:12])
    assert value["accuracy"] == to_plain(trained.metrics.test.accuracy) and value["largest_difference"] < 1e-4


def test_explain_all_test_images_and_named_ones(trained, tmp_path):
    assert len(cxr("explain", "latest", "--out", str(tmp_path / "all"))["files"]) == 12
    assert len(list((tmp_path / "all").glob("*.png"))) == 12
    good, bad = Path(trained.predictions("test")["path"][0]), tmp_path / "bad.png"
    bad.write_text("no image")
    value = cxr("explain", "latest", str(good), str(bad), "--out", str(tmp_path / "some"))
    assert len(value["files"]) == 1 and "not an image" in value["refused"][str(bad)]


def test_import_and_list(save, tmp_path):
    import numpy as np

    for k, name in enumerate(["NORMAL", "NORMAL", "SARS", "TB"]):
        save(f"set/{name}/{k}.png", np.full((8, 8), k, np.uint8))
    options = ["--name", "mine", "--map", "SARS==1+1", "--limit", "NORMAL=1", "--leave-out", "TB"]
    value = cxr("data", "import", str(tmp_path / "set"), *options)
    assert value["classes"] == {"=1+1": 1, "NORMAL": 1} and value["positive"] == "=1+1"
    assert value["left_out"] == {"limit": 1, "finding": 1} and value["findings_left_out"] == {"TB": 1}
    assert cxr("data", "list")["datasets"] == [{"name": "mine", "classes": value["classes"], "version": 1}]
    (tmp_path / "set" / "TB").rename(tmp_path / "set" / "=1+1")
    again = cxr("data", "import", str(tmp_path / "set"), "--name", "again", "--map", "=1+1=K", "--keep", "NORMAL")
    assert again["classes"] == {"K": 1, "NORMAL": 2} and again["findings_left_out"] == {"SARS": 1}
    changed = cxr("data", "classes", "mine", "--rename", "=1+1=a=b", "--positive", "NORMAL")
    assert (
        changed
        == {
            "dataset": "mine",
            "version": 2,
            "classes": {"a=b": 1, "NORMAL": 1},
            "positive": "NORMAL",
        }
        and cxr("data", "classes", "mine") == changed
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["train", "--data", "nothing"], "Error: There is no dataset 'nothing'"),
        (["train", "--data", "x", "--epochs", "many"], "Error: Invalid value for '--epochs'"),
        (["data", "import", "/no/such/folder"], "Error: There is no folder /no/such/folder"),
        (["evaluate", "latest"], "Error: There is no run 'latest'"),
        (["train", "--data", "x", "--set", "head.x=1"], "Error: head: expected 'logistic', 'gap', 'tutorial'"),
        (["train", "--data", "x", "--set", "l2=[1"], "Error: --set l2: [1 is not a value"),
        (["train", "--data", "x", "--set", "colour"], "Error: --set: expected name=value. Received: colour"),
        (
            ["sweep", "s", "--data", "x", "--knob", "batch_size=8,abc", "--backbone", "cxrtiny"],
            "Error: batch_size: expected a range",
        ),
        (
            ["train", "--data", "x", "--folds", "5", "--repeats", "5"],
            "Error: resampling: choose folds or repeats, not both",
        ),
        (["train", "--data", "x", "--split", "fair"], "Error: split.kind: expected 'patient', 'tutorial' or 'given'"),
    ],
)
def test_invalid_input_is_one_line_and_exit_code_two(words, text):
    assert mistake(*words).startswith(text)


def test_invalid_config_leaves_no_run(phantom):
    mistake("train", "--data", "phantom", "--learning-rate", "-1")
    assert cxr("runs", "list")["runs"] == []


def test_report_writes_the_requested_files(trained, tmp_path):
    files = {
        name: tmp_path / f"out.{name}" for name in ("html", "pdf", "card", "csv", "config", "keras", "tflite", "zip")
    }
    words = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    value = cxr("report", "latest", *words, "--per-page", "75", "--lang", "pt")
    assert value == {"run": trained.name, "files": [str(path) for path in files.values()]}
    assert "<h2>Matriz de confusão</h2>" in files["html"].read_text()
    assert files["pdf"].read_bytes().startswith(b"%PDF") and files["card"].read_text().startswith("# Ficha do modelo")


def test_report_names_what_is_missing():
    assert "Choose a file to write" in mistake("report", "latest")
    assert "--lang: expected one of en, pt. Received: 'xx'" in mistake(
        "report", "latest", "--html", "x", "--lang", "xx"
    )
    assert "There is no run 'latest'" in mistake("report", "latest", "--html", "x")


def test_train_repeats_a_config_and_options_override_it(phantom, tmp_path):
    first = cxr("train", "--data", "phantom", "--size", "64", "--head", "gap", "--epochs", "2")
    cxr("report", "latest", "--config", str(tmp_path / "run.yaml"))
    again = cxr("train", "--config", str(tmp_path / "run.yaml"))
    assert again["accuracy"] == first["accuracy"]
    cxr("train", "--config", str(tmp_path / "run.yaml"), "--epochs", "1")
    assert [len(run.epochs) for run in runs.listing()] == [1, 2, 2]


def test_options_keep_the_other_values_of_a_section_of_a_config(phantom, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(
        "dataset: phantom\nbackbone: mobilenetv2\nweights: random\nsize: 64\nhead: gap\nepochs: 1\n"
        "split: {kind: tutorial, test: 0.3, seed: 40}\n"
    )
    value = cxr("train", "--config", str(file), "--split-seed", "7")
    (run,) = runs.listing()
    assert value["backbone"] == "mobilenetv2" == run.config.backbone
    assert run.config.split.model_dump() == {"kind": "tutorial", "test": 0.3, "validation": 0.1, "seed": 7}


def test_invalid_config_file_is_named(tmp_path):
    (tmp_path / "list.yaml").write_text("- 1")
    assert "expected names with values. Received: list" in mistake("train", "--config", str(tmp_path / "list.yaml"))
    assert "cannot be read as YAML" in mistake("train", "--config", str(tmp_path / "none.yaml"))
    assert "Name a dataset with --data" in mistake("train")
    (tmp_path / "odd.yaml").write_text("dataset: x\ncolour: red")
    assert "colour" in mistake("train", "--config", str(tmp_path / "odd.yaml"))


def test_continuing_with_too_many_epochs_is_an_error(trained):
    assert mistake("runs", "continue", "latest", "--epochs", "100000").startswith(
        "Error: epochs: expected less than or equal to 100000. Received: 100020"
    )
    assert trained.config.epochs == 20


def test_damaged_run_is_listed_and_the_others_open(trained):
    broken = trained.folder.with_name("20990101-000000-000-cxrtiny-dead")
    shutil.copytree(trained.folder, broken)
    (broken / "config.json").write_text('{"dataset": "pha')
    value = cxr("runs", "list")
    assert [row["run"] for row in value["runs"]] == [trained.name]
    assert "truncated" in value["damaged"][broken.name]
    assert "cannot be opened" in mistake("evaluate", broken.name)


def test_evaluate_prints_the_positive_class_of_two(made, monkeypatch):
    monkeypatch.setattr(saved_model, "evaluate", lambda run, callbacks: (run.predictions("test"), run.results.test))
    lines = CliRunner().invoke(app, ["evaluate", made[2].name], catch_exceptions=False).stdout.splitlines()
    assert [line.split(" (")[0] for line in lines[1:-1]] == [
        f"  <script>alert(1)</script>: {text}"
        for text in ("sensitivity 80.0 %", "specificity 90.0 %", "PPV 88.9 %", "NPV 81.8 %")
    ]


def test_control_characters_of_a_name_are_escaped(capsys):
    terminal.result({"name": "a\x1b[2Jb"}, "a\x1b[2Jb\nc\x9b\u202e", False)
    assert capsys.readouterr().out == "a\\x1b[2Jb\nc\\x9b\\u202e\n"
    terminal.result({"name": "a\x1b\x9b"}, "", True)
    assert capsys.readouterr().out == '{"name": "a\\u001b\\u009b"}\n'
