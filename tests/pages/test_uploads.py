"""Uploads on the Explain page: decoded and explained once, and seen by nobody but the visitor who made them."""

import gc
import weakref
from collections import defaultdict
from uuid import uuid4

import numpy as np
import pytest
from streamlit.runtime.scriptrunner import RerunData, ScriptRunner, get_script_run_ctx

from cxrcore.audits import uploaded_image
from cxrcore.audits.uploaded_image import UploadedImage
from cxrcore.data.images import png
from cxrcore.explain import loaded_runs
from cxrcore.explain.explanation import Explanation
from cxrcore.features import lung_segmenter

BRIGHT, DARK = (png(np.full((48, 40, 3), grey, np.uint8)) for grey in (200, 40))


@pytest.fixture
def calls(monkeypatch):
    """What was computed, in order: decoded, explained and segmented images by their mean brightness.

    The probability of the second class is an image's mean brightness; its heatmap is bright where the image is.
    """
    found = []
    decode, segment = uploaded_image.decode, lung_segmenter.segment

    def decoded(upload, size, progress):
        image = decode(upload, size, progress)
        found.append(f"decoded {image.pixels.mean():.0f}")
        return image

    def explained(run, source, layer, method, score, progress):
        found.append(f"explained {source.mean():.0f} by {method}")
        share, heatmap = source.mean() / 255, np.zeros((1, 2, 2), np.float32)
        heatmap[0, int(share > 0.5)] = 1
        return Explanation(source, np.array([1 - share, share], np.float32), heatmap, None, np.zeros(3, np.float32))

    def segmented(images):
        found.append(f"segmented {images.mean():.0f}")
        return segment(images)

    monkeypatch.setattr(uploaded_image, "decode", decoded)
    monkeypatch.setattr(loaded_runs, "explain", explained)
    monkeypatch.setattr(lung_segmenter, "segment", segmented)
    return found


@pytest.fixture(autouse=True)
def sessions(monkeypatch):
    """Every test page is a session of its own, as every visitor has on a server; else all have the same id."""
    create, ids = ScriptRunner.__init__, defaultdict(lambda: uuid4().hex)

    def created(self, session_id, session_state, **options):
        create(self, session_id=ids[id(session_state)], session_state=session_state, **options)

    monkeypatch.setattr(ScriptRunner, "__init__", created)


def _shown(test):
    """Return what a visitor sees of an upload: the pictures, the figures and what they show in words."""
    assert not test.exception, test.exception
    figures = test.get("plotly_chart")
    parts = [*test.get("image"), *figures]
    return [str(part.proto) for part in parts], " ".join(figure.proto.alt for figure in figures)


def _results(test, name):
    return list(test.session_state[name].values()) if name.startswith("results of") else []


def _choose(test, label, value):
    next(box for box in test.selectbox if box.label == label).set_value(value).run()


def test_upload_is_decoded_once_whatever_is_drawn_again(open_page, made, calls):
    test = open_page("explain", run=made[2].name, show="Upload")
    files = [("a.png", BRIGHT, "image/png"), ("b.png", DARK, "image/png")]
    test.file_uploader[0].set_value(files).run()
    assert calls == ["decoded 200", "explained 200 by grad-cam", "segmented 200"]
    for _ in range(2):
        _choose(test, "Image", test.file_uploader[0].value[1])
        _choose(test, "View", "Beside the original")
        _choose(test, "Colour map", "magma")
        next(slider for slider in test.slider if slider.label == "Opacity").set_value(0.9).run()
        test.query_params["lang"] = "pt"
        test.run()
        test.query_params["lang"] = "en"
        _choose(test, "Method", "layercam")
        _choose(test, "Method", "grad-cam")
        _choose(test, "Image", test.file_uploader[0].value[0])
    assert not test.exception and [call for call in calls if "decoded" in call] == ["decoded 200", "decoded 40"]
    assert sorted(call for call in calls if "explained" in call) == [
        "explained 200 by grad-cam", "explained 40 by grad-cam", "explained 40 by layercam",
    ]  # fmt: skip


@pytest.mark.parametrize("module, function", [(uploaded_image, "decode"), (loaded_runs, "explain")])
def test_what_is_ready_when_the_page_is_drawn_again_is_kept(module, function, open_page, made, calls, monkeypatch):
    """A visitor moves a slider while the image is being decoded or explained."""
    compute, moves = getattr(module, function), [1]

    def interrupted(*args, **options):
        if moves:
            context = get_script_run_ctx()
            page = RerunData(context.query_string, page_script_hash=context.page_script_hash)
            context.script_requests.request_rerun(page)
            moves.pop()
        return compute(*args, **options)

    monkeypatch.setattr(module, function, interrupted)
    test = open_page("explain", run=made[2].name, show="Upload")
    test.file_uploader[0].set_value([("a.png", BRIGHT, "image/png")]).run()
    assert "78.4%" in _shown(test)[1]
    assert calls == ["decoded 200", "explained 200 by grad-cam", "segmented 200"]


def test_two_visitors_see_nothing_of_each_others_uploads(open_page, made, calls):
    """The second uploads another image of the same name, then the first one's very image: nothing tells that it is
    known already.
    """
    first, second = (open_page("explain", run=made[2].name, show="Upload") for _ in range(2))
    first.file_uploader[0].set_value([("x.png", BRIGHT, "image/png")]).run()
    second.run()
    assert _shown(second) == ([], "") and not second.file_uploader[0].value
    pictures, words = _shown(first)
    assert len(pictures) == 3 and "78.4%" in words
    second.file_uploader[0].set_value([("x.png", DARK, "image/png")]).run()
    assert "15.7%" in _shown(second)[1] and "78.4%" not in _shown(second)[1]
    assert not set(_shown(second)[0]) & set(pictures)
    del calls[:]
    first.run()
    assert _shown(first) == (pictures, words) and calls == []
    second.file_uploader[0].set_value([("x.png", BRIGHT, "image/png")]).run()
    assert _shown(second) == (pictures, words)
    assert calls == ["decoded 200", "explained 200 by grad-cam", "segmented 200"]


def test_what_a_visitor_uploaded_is_freed_with_the_session(open_page, made, calls):
    """Nothing in the server's process refers to the decoded image, its heatmap, or an array of either. Copies, as of
    `st.cache_data`, are not seen.
    """
    test = open_page("explain", run=made[2].name, show="Upload")
    test.file_uploader[0].set_value([("x.png", BRIGHT, "image/png")]).run()
    results = [value for name in test.session_state for value in _results(test, name)]
    arrays = [array for value in results for array in vars(value).values() if isinstance(array, np.ndarray)]
    assert {type(value) for value in results} == {UploadedImage, Explanation} and len(arrays) >= 4
    held = [weakref.ref(value) for value in [*results, *arrays]]
    del test, results, arrays
    gc.collect()
    assert [value() for value in held if value() is not None] == []
