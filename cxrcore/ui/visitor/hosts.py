"""Which hosts and origins the server answers: a middleware around everything, the WebSocket included."""

import ipaddress
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from cxrcore import settings

_SAFE = {"GET", "HEAD", "OPTIONS"}


class HostsAndOrigins:
    """Refuses a request for a host name that is not this server's (400), and what another site sends (403).

    A site of an attacker can name this server's address as its own (DNS rebinding); the browser then takes both for one
    site, and only the name tells them apart. A page of another site can open a WebSocket here, which browsers do not
    prevent; its origin tells. Streamlit itself would ask another host for this machine's address to judge an origin.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request that is not refused."""
        if scope["type"] in ("http", "websocket"):
            headers = Headers(scope=scope)
            hosts = headers.getlist("host")
            if len(hosts) != 1 or not is_allowed_host(hosts[0]):
                text = "This host name is not allowed. The server's setting CXR_ALLOWED_HOSTS lists those that are."
                return await PlainTextResponse(text, 400)(scope, receive, send)
            changes = scope["type"] == "websocket" or scope["method"] not in _SAFE
            if changes and not all(_is_same(origin, hosts[0]) for origin in headers.getlist("origin")):
                return await PlainTextResponse("Requests of other sites are refused.", 403)(scope, receive, send)
        await self._app(scope, receive, send)


def is_allowed_host(host: str) -> bool:
    """Tell whether a Host header names localhost, an IP address, the address listened on, or a name of the setting.

    An IP address cannot be an attacker's name.
    """
    try:
        parts = urlsplit(f"//{host}")
        name, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return False
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        return False
    try:
        ipaddress.ip_address(name)
        return True
    except ValueError:
        own = str(st.get_option("server.address") or "localhost").lower()
        return name in ("localhost", own) or any(fnmatchcase(name, allowed) for allowed in settings.allowed_hosts())


def _is_same(origin: str, host: str) -> bool:
    try:
        name = urlsplit(origin).netloc
    except ValueError:  # a bracket without its other one
        return False
    return name.lower() == host.lower() or origin in st.get_option("server.corsAllowedOrigins")
