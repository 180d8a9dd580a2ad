"""The tabs of the Explain page."""

import streamlit as st

from cxrcore.explain import loaded_runs
from cxrcore.i18n import N_
from cxrcore.jobs import worker_pool
from cxrcore.runs import Run
from cxrcore.ui import feedback, query_params, selection
from cxrcore.ui.explain import comparison, faithfulness, mean_heatmap, shortcut_warning, test_images, upload
from cxrcore.ui.explain.test_images import Layout

_IMAGES = N_("Test images")
_TABS = {
    N_("Upload"): upload.show,
    N_("Comparison"): comparison.show,
    N_("Mean heatmap by class"): mean_heatmap.show,
    N_("Faithfulness"): faithfulness.show,
}


def show() -> None:
    """Choose a run that has results and show its explanations. Only the open tab is computed.

    A worker loads the model meanwhile, so that the first heatmap does not wait for it.
    """
    page = st.empty()
    with page.container():
        tabs = query_params.tabs("show", [_IMAGES, *_TABS], default=_IMAGES)
        code = next(code for code, tab in tabs.items() if tab.open)
        with tabs[code]:
            layout = test_images.arrange() if code == _IMAGES else None
            with layout.run if layout else st.container():
                run = selection.choose_run()
    if run is None:
        with page.container():
            selection.no_run()
        return
    worker_pool.pool().prepare(loaded_runs.prepare, run)
    with tabs[code], feedback.friendly():
        _show(run, code, layout)


def _show(run: Run, code: str, layout: Layout | None) -> None:
    if layout:
        test_images.show(run, layout)
    else:
        shortcut_warning.show(run)
        _TABS[code](run)
    shortcut_warning.show_missing(run)
