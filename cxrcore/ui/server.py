"""What the web server has besides the pages: addresses for programs, and what is done when it ends."""

import asyncio
import importlib
import logging
import os
import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from threading import Thread

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from streamlit.runtime.scriptrunner import get_script_run_ctx

import cxrcore
from cxrcore import heaps, logs, runs, settings, ui
from cxrcore.data import dataset
from cxrcore.errors import UserError
from cxrcore.evaluation import verdict
from cxrcore.explain import loaded_runs
from cxrcore.features import gpu_pass, gpus
from cxrcore.jobs import worker_pool
from cxrcore.ui import collection, selection
from cxrcore.ui.visitor import predict_route
from cxrcore.ui.visitor.hosts import HostsAndOrigins


def health(request: Request) -> Response:
    """Answer 200 and `{"status": "ok"}` where the workspace can be read, else 503 and what is wrong.

    A workspace that does not exist yet is made by the first run or dataset.
    """
    try:
        with os.scandir(settings.home()) as found:
            next(found, None)
    except FileNotFoundError:
        pass
    except OSError:
        return JSONResponse({"status": "the workspace cannot be read"}, status_code=503)
    return JSONResponse({"status": "ok"})


def version(request: Request) -> Response:
    """Answer the version of the program."""
    return JSONResponse({"name": "cxrcore", "version": cxrcore.__version__})


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """Bound the memory, write the log; end the worker processes with the server, however it was started. Runs and tasks
    go on: they are processes of their own.

    Streamlit prints each error that escapes a page, with its text. The log has it without: texts hold names of files.
    """
    heaps.bound()  # `streamlit run` starts here
    logs.start(session=_session)
    collection.install()
    logging.getLogger("streamlit.error_util").addFilter(lambda record: False)
    logs.LOGGER.info("Server started, version %s", cxrcore.__version__)
    Thread(target=prepare, name="prepare", daemon=True).start()
    yield
    await asyncio.to_thread(worker_pool.pool().close)
    logs.LOGGER.info("Server ended")


def prepare() -> None:
    """Import what the pages use and read the datasets and the runs, so that the first visitors do not wait for it.

    The verdict on a run is found again where the one that is kept is of an earlier version. A worker loads the model of
    the newest run that can be explained, as the Explain page opens with it. On a machine that seems to have a GPU, it
    looks for that instead.
    """
    if gpus.are_expected():
        worker_pool.pool().prepare(gpu_pass.find)
    else:
        with suppress(UserError, OSError):
            if newest := selection.newest_with_results():
                worker_pool.pool().prepare(loaded_runs.prepare, newest)
    for module in pkgutil.walk_packages(ui.__path__, f"{ui.__name__}."):
        importlib.import_module(module.name)
    with suppress(UserError):  # the pages tell that the datasets cannot be read
        dataset.names()
    with suppress(UserError):  # nor the runs
        for run in runs.listing():
            with suppress(UserError, OSError):
                if not verdict.is_kept(run):
                    verdict.of_run(run)


def _session() -> str:
    context = get_script_run_ctx(suppress_warning=True)
    return context.session_id if context else ""


ROUTES = [Route("/api/health", health), Route("/api/version", version), predict_route.ROUTE]
# In the order in which a request passes them; Streamlit's own follow.
MIDDLEWARE = [Middleware(HostsAndOrigins)]
