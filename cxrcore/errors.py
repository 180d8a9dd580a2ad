"""The two exceptions that carry a message meant for the user."""


class UserError(Exception):
    """A mistake or a circumstance the user can act on; its text says what to do. Exit code 2."""


class Stopped(Exception):
    """The user asked a run to stop; raised at the next point where nothing is half done."""
