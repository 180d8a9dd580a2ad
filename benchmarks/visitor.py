"""A visitor of the dashboard without a browser: one WebSocket session that speaks Streamlit's protocol."""

import asyncio
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

import aiohttp
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

PATIENCE_SECONDS = 60.0
_MEDIA = re.compile(rb"/media/[\w./-]+")
_ENDED = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


@dataclass
class PageRun:
    """One run of a page or of a fragment: seconds from the request to the end of the script, bytes received, texts of
    the errors that it showed, and addresses of the pictures and files that it names.
    """

    seconds: float = 0.0
    size: int = 0
    errors: list[str] = field(default_factory=list)
    media: set[str] = field(default_factory=set)


class Visitor:
    """One session; a context manager that connects to the server at `address`, for example `http://localhost:8501`.

    Fragments that a page updates at intervals are asked for while the visitor thinks, as a browser does. Unlike a
    browser, it keeps no messages for later, so the server sends each again.
    """

    def __init__(self, http: aiohttp.ClientSession, address: str) -> None:
        self._http, self._address = http, address
        self._pages: dict[str, str] = {}  # hash of a page's script by its path
        self._page, self._query = "", ""
        self._fragments: dict[str, tuple[float, float]] = {}  # interval and the next time in seconds, by id
        self._running = PageRun()
        self._ended = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._socket = await self._http.ws_connect(
            f"{self._address}/_stcore/stream", protocols=["streamlit"], max_msg_size=0, compress=15
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._socket.close()
        await self._reader

    async def open(self, path: str, query: dict[str, str]) -> PageRun:
        """Open a page, "" for the first, by its path and the choices in its URL; return when its script has ended."""
        if path and path not in self._pages:
            await self.open("", {})  # which tells the scripts' hashes
        self._page, self._query = self._pages.get(path, ""), urlencode(query)
        self._fragments.clear()
        return await self._run()

    async def think(self, seconds: float) -> list[PageRun]:
        """Wait, and return the updates of fragments meanwhile."""
        found: list[PageRun] = []
        end = time.monotonic() + seconds
        while True:
            due = min(((at, name) for name, (_, at) in self._fragments.items()), default=(end, ""))
            await asyncio.sleep(max(0.0, min(due[0], end) - time.monotonic()))
            if due[0] >= end:
                return found
            found.append(await self._run(due[1]))
            if due[1] in self._fragments:
                interval = self._fragments[due[1]][0]
                self._fragments[due[1]] = (interval, time.monotonic() + interval)

    async def fetch(self, path: str) -> int:
        """Return the size of a picture or file in bytes; raises `aiohttp.ClientError` if it cannot be had."""
        async with self._http.get(self._address + path) as answer:
            answer.raise_for_status()
            return len(await answer.read())

    async def _run(self, fragment: str = "") -> PageRun:
        request = BackMsg()
        state = request.rerun_script
        state.page_script_hash, state.query_string, state.fragment_id = self._page, self._query, fragment
        state.is_auto_rerun = bool(fragment)
        state.context_info.locale, state.context_info.timezone = "en-US", "UTC"
        self._running, start = PageRun(), time.perf_counter()
        self._ended.clear()
        if self._reader.done():
            return PageRun(errors=["the server closed the session"])
        await self._socket.send_bytes(request.SerializeToString())
        try:
            await asyncio.wait_for(self._ended.wait(), PATIENCE_SECONDS)
        except TimeoutError:
            self._running.errors.append(f"no answer within {PATIENCE_SECONDS:.0f} s")
        self._running.seconds = time.perf_counter() - start
        return self._running

    async def _read(self) -> None:
        """Read messages until the session ends."""
        with suppress(ConnectionError):
            while (message := await self._socket.receive()).type not in _ENDED:
                self._received(message.data)
        if not self._ended.is_set():
            self._running.errors.append("the server closed the session")
            self._ended.set()

    def _received(self, data: bytes) -> None:
        message = ForwardMsg.FromString(data)
        self._running.size += len(data)
        kind = message.WhichOneof("type")
        if kind == "navigation":
            self._pages = {page.url_pathname: page.page_script_hash for page in message.navigation.app_pages}
            self._pages[""] = next(page.page_script_hash for page in message.navigation.app_pages if page.is_default)
        elif kind == "delta":
            self._running.media |= {found.decode() for found in _MEDIA.findall(data)}
            element = message.delta.new_element
            if element.WhichOneof("type") == "exception":
                self._running.errors.append(f"{element.exception.type}: {element.exception.message}")
            if element.WhichOneof("type") == "alert" and element.alert.format == Alert.ERROR:
                self._running.errors.append(element.alert.body)
        elif kind == "auto_rerun":
            interval = message.auto_rerun.interval
            self._fragments[message.auto_rerun.fragment_id] = (interval, time.monotonic() + interval)
        elif kind == "stop_auto_rerun":
            for name in message.stop_auto_rerun.fragment_ids:
                self._fragments.pop(name, None)
        elif kind == "page_info_changed":
            self._query = message.page_info_changed.query_string
        elif kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            if message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                self._running.errors.append("the script does not compile")
            self._ended.set()
