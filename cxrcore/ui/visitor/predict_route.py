"""`POST /api/runs/{run}/predict`: the prediction for one image, for programs of editors."""

import threading
import time
from collections import deque

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cxrcore import access, logs, runs
from cxrcore.access import Role
from cxrcore.data.errors import ImageError
from cxrcore.data.images import Upload
from cxrcore.errors import UnavailableError, UserError
from cxrcore.explain import loaded_runs
from cxrcore.inference import saved_model
from cxrcore.jobs import worker_pool
from cxrcore.runs import Run
from cxrcore.ui.feedback import NOTICE
from cxrcore.ui.visitor import sign_in, tokens

MOST_BYTES = 20 * 10**6
MOST_AT_ONCE, MOST_BY_ONE, PER_MINUTE = 4, 1, 30
_RETRY_SECONDS, _UNAVAILABLE_SECONDS, _BODY_SECONDS = 5, 60, 60


class Limits:
    """How many requests are worked on at once, altogether and for each user, and how many a user makes in a minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._working: list[str] = []
        self._latest: dict[str, deque[float]] = {}

    def enter(self, user: str) -> int:
        """Begin a request; return 0, or after how many seconds the user may try again."""
        now = time.monotonic()
        with self._lock:
            self._latest = {name: times for name, times in self._latest.items() if now - times[-1] < 60}
            latest = self._latest.get(user, deque(maxlen=PER_MINUTE))
            if len(latest) == PER_MINUTE and now - latest[0] < 60:
                return 1 + int(60 - (now - latest[0]))
            if len(self._working) >= MOST_AT_ONCE or self._working.count(user) >= MOST_BY_ONE:
                return _RETRY_SECONDS
            self._working.append(user)
            latest.append(now)
            self._latest[user] = latest
            return 0

    def leave(self, user: str) -> None:
        """End a request."""
        with self._lock:
            self._working.remove(user)


_limits = Limits()
# Of their own, so that they leave those that send the dashboard's files.
_threads = anyio.CapacityLimiter(2 * MOST_AT_ONCE)


async def predict(request: Request) -> Response:
    """Answer the probabilities of the classes for the image that the body holds (PNG, JPEG, DICOM).

    Status 400 where the image did not arrive, 401 without a valid token, 404 where there is no sign-in or no such run,
    413 for more than `MOST_BYTES`, 415 for what is not an image, 429 over a limit and 503 where the workers cannot
    answer now, both with `Retry-After`; 500 for an unexpected error, which is logged. The image is kept nowhere.
    """
    try:
        return await _answered(request)
    except Exception as error:
        return _error(500, f"The prediction failed. The server's log has the details under {logs.unexpected(error)}.")


async def _answered(request: Request) -> Response:
    try:
        client = sign_in.client_id()
    except UserError:
        client = None
    if client is None:
        return _error(404, "Predictions need sign-in to be configured.")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return _error(401, "A bearer token is missing.", **{"WWW-Authenticate": "Bearer"})
    try:
        user = await anyio.to_thread.run_sync(tokens.provider(client).editor, token.strip(), limiter=_threads)
    except UserError as error:
        return _error(401, str(error), **{"WWW-Authenticate": 'Bearer error="invalid_token"'})
    if seconds := _limits.enter(user):
        return _error(429, "Too many requests.", **{"Retry-After": str(seconds)})
    try:
        with anyio.fail_after(_BODY_SECONDS):
            content = await _body(request)
        if content is None:
            return _error(413, f"An image has at most {MOST_BYTES} bytes.")
        answer = access.run_as(Role.VIEWER, _answer)  # nothing is to be written
        return await anyio.to_thread.run_sync(answer, request.path_params["run"], content, limiter=_threads)
    except (ClientDisconnect, TimeoutError):
        return _error(400, "The image did not arrive.")
    except UnavailableError as error:
        return _error(503, str(error), **{"Retry-After": str(_UNAVAILABLE_SECONDS)})
    finally:
        _limits.leave(user)


async def _body(request: Request) -> bytes | None:
    """Return the body, None as soon as it is too long."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > MOST_BYTES:
        return None
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > MOST_BYTES:
            return None
    return bytes(content)


def _answer(name: str, content: bytes) -> Response:
    run = _run(name)
    if run is None:
        return _error(404, "There is no such run with a model.")
    try:
        found = worker_pool.pool().call(loaded_runs.predict, run, Upload("image", content))
    except ImageError as error:
        return _error(415, str(error))
    probabilities = dict(zip(run.classes, map(float, found.probabilities), strict=True))
    return JSONResponse(
        {
            "run": run.name,
            "predicted": max(probabilities, key=probabilities.__getitem__),
            "probabilities": probabilities,
            "out_of_distribution_score": found.ood_score,
            "out_of_distribution": None if found.ood_score is None else found.ood_score > 1,
            "warning": NOTICE,
        },
        headers={"Cache-Control": "no-store"},
    )


def _run(name: str) -> Run | None:
    """Return the run of exactly this name that has a model."""
    return next((run for run in runs.listing() if run.name == name and saved_model.has_model(run)), None)


def _error(status: int, text: str, **headers: str) -> Response:
    return JSONResponse({"error": text}, status, headers={"Cache-Control": "no-store"} | headers)


ROUTE = Route("/api/runs/{run}/predict", predict, methods=["POST"])
