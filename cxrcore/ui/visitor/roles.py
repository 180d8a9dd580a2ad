"""The role of a visitor, from what the OpenID Connect provider states about them (the claims of an ID token)."""

import time
from collections.abc import Mapping
from typing import Any

from cxrcore import settings
from cxrcore.access import Role
from cxrcore.errors import UserError

_CLOCKS = 300.0  # seconds by which the provider's clock may be ahead


def role(claims: Mapping[str, Any], client_id: str) -> Role:
    """Return viewer or editor.

    Args:
        claims: of a token whose signature has been verified.
        client_id: for which it must have been issued.

    Raises:
        UserError: the claims give no access; the text tells the visitor why.
    """
    audience = claims.get("aud")
    if client_id not in (audience if isinstance(audience, list) else [audience]):
        raise UserError("This sign-in was made for another program.")
    issued = claims.get("iat")
    age = time.time() - issued if isinstance(issued, int | float) else float("inf")
    if not -_CLOCKS <= age < settings.sign_in_hours() * 3600:
        raise UserError("Your sign-in has expired.")
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified") is not True:
        raise UserError("The provider has not verified your e-mail address.")
    if _is_listed(email, settings.editors()):
        return Role.EDITOR
    if _is_listed(email, settings.viewers()):
        return Role.VIEWER
    raise UserError("{email} has no access. Ask whoever runs this server.", email=email)


def _is_listed(email: str, names: list[str]) -> bool:
    """Tell whether an address, its @domain or * is among `names`.

    Only ASCII addresses: others have letters that look like, or become in lower case, those of another address.
    """
    if "*" in names:
        return True
    mailbox, _, domain = email.lower().rpartition("@")
    return email.isascii() and bool(mailbox) and not {email.lower(), f"@{domain}"}.isdisjoint(names)
