"""The tabs of the Explain page."""

from cxrcore.explain import loaded_runs
from cxrcore.i18n import N_
from cxrcore.jobs import worker_pool
from cxrcore.runs import Run
from cxrcore.ui import feedback, query_params
from cxrcore.ui.explain import comparison, faithfulness, mean_heatmap, shortcut_warning, test_images, upload

_TABS = {
    N_("Test images"): test_images.show,
    N_("Upload"): upload.show,
    N_("Comparison"): comparison.show,
    N_("Mean heatmap by class"): mean_heatmap.show,
    N_("Faithfulness"): faithfulness.show,
}


def show(run: Run) -> None:
    """Show the explanations of a run that has results. Only the open tab is computed.

    A worker loads the model meanwhile, so that the first heatmap does not wait for it.
    """
    worker_pool.pool().prepare(loaded_runs.prepare, run)
    shortcut_warning.show(run)
    for code, tab in query_params.tabs("show", list(_TABS), default="Test images").items():
        with tab, feedback.friendly():
            if tab.open:
                _TABS[code](run)
