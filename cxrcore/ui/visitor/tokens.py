"""Bearer tokens of programs: JSON Web Tokens of the provider to which people sign in (RFC 7519, RFC 9068)."""

import threading
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import requests
import streamlit as st

from cxrcore.access import Role
from cxrcore.errors import UserError
from cxrcore.ui.visitor import roles

if TYPE_CHECKING:  # of the extra `auth`
    from joserfc.jwk import KeySet

# Signatures with the provider's private key alone: with a shared secret, or none, anybody could sign.
_ALGORITHMS = ["RS256", "PS256", "ES256"]
_SECONDS = 5  # for an answer of the provider
_KEPT, _PAUSE = 3600, 60  # seconds for which keys are kept, and between two attempts to fetch them


class Provider:
    """The provider's keys, fetched when they are needed; methods can be called from several threads."""

    def __init__(self, metadata_url: str, client_id: str) -> None:
        self._url, self._client_id = metadata_url, client_id
        self._lock = threading.Lock()
        self._issuer = ""
        self._keys: KeySet | None = None
        self._tried = -float("inf")

    def editor(self, token: str) -> str:
        """Return the e-mail address of the editor for whom the token was issued.

        Raises:
            UserError: the token is not one of this provider for this dashboard, has expired, or is not an editor's.
        """
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError, JoseError

        issuer, keys = self._current(_KEPT)
        try:
            try:
                found = jwt.decode(token, keys, algorithms=_ALGORITHMS)
            except InvalidKeyIdError:  # the provider may have changed its keys
                issuer, keys = self._current(_PAUSE)
                found = jwt.decode(token, keys, algorithms=_ALGORITHMS)
            jwt.JWTClaimsRegistry(
                iss={"essential": True, "value": issuer}, exp={"essential": True}, sub={"essential": True}
            ).validate(found.claims)
        except (JoseError, ValueError, TypeError) as error:  # TypeError: a header that is not as joserfc expects
            raise UserError("The token is not valid.") from error
        if roles.role(found.claims, self._client_id) is not Role.EDITOR:
            raise UserError("Only editors may do this.")
        return str(found.claims["email"]).lower()

    def _current(self, seconds: float) -> "tuple[str, KeySet]":
        """Return the issuer and keys, fetched again if the latest attempt is at least so many seconds ago.

        Raises:
            UserError: the provider does not answer, or did not a short time ago.
        """
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        with self._lock:
            if time.monotonic() - self._tried > (seconds if self._keys else _PAUSE):
                self._tried = time.monotonic()
                try:
                    metadata = _json(self._url)
                    keys = KeySet.import_key_set(_json(metadata["jwks_uri"]))
                    self._issuer, self._keys = str(metadata["issuer"]), keys
                except (requests.RequestException, JoseError, KeyError, TypeError, ValueError) as error:
                    raise UserError("The sign-in provider does not answer.") from error
            if self._keys is None:
                raise UserError("The sign-in provider does not answer.")
            return self._issuer, self._keys


@cache
def provider(client_id: str) -> Provider:
    """Return the provider of `[auth]` in `secrets.toml`."""
    return Provider(st.secrets["auth"]["server_metadata_url"], client_id)


def _json(url: str) -> Any:
    answer = requests.get(url, timeout=_SECONDS)
    answer.raise_for_status()
    return answer.json()
