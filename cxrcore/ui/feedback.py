"""Messages of the dashboard: errors without a traceback, empty states with the next step, data as plain text."""

import errno
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath

import streamlit as st

from cxrcore import logs, settings
from cxrcore.data.errors import ImageError
from cxrcore.errors import UserError
from cxrcore.i18n import N_, t, translate
from cxrcore.messages import Message

NOTICE = N_("For research and teaching, not for clinical use.")
PHANTOMS = N_("Trained and tested on phantoms: synthetic images made by this program, not X-rays of people.")

# A backslash before these keeps them text in Markdown.
_PUNCTUATION = re.compile(r"[\\`*_{}\[\]<>#|~$&]|^[-+=]|(?<=^\d)[.)]|(?<=^\d\d)[.)]")
# These are replaced after the Markdown was parsed, where a backslash has gone: links without brackets, directives,
# emoji and icons, arrows and dashes. An invisible character (U+2060, word joiner) breaks each of them.
_REPLACED = re.compile(r":(?=[^\W\d]|/|[\w+-]+:)|\bwww(?=\.)|(?=@)|(?<!\S)[-<>~](?=[->=]+(?!\S))", re.IGNORECASE)
_JOINER = "\u2060"


def plain_text(text: str) -> str:
    """Return a text from data as Markdown that Streamlit shows as that text, in one line.

    Names, titles, labels and notes of runs and datasets go through this wherever Streamlit renders Markdown: an image
    in a title would make every visitor's browser fetch it. A byte of a file's name that is no UTF-8 becomes "?".
    """
    text = text.encode(errors="replace").decode()
    joined = _REPLACED.sub(lambda found: found.group() + _JOINER, " ".join(text.split()))
    return _PUNCTUATION.sub(r"\\\g<0>", joined)


@contextmanager
def friendly() -> Iterator[None]:
    """Show an error as a message, see `show`."""
    try:
        yield
    except Exception as error:
        show(error)


def show(error: Exception) -> bool:
    """Show an error as a message; one that nobody expected goes into the server's log with its traceback.

    Returns:
        True: nothing else is to be shown, for `st.App`, which calls this for what escapes `friendly`.
    """
    if isinstance(error, UserError | ImageError):
        text = error_text(error.message)
    elif isinstance(error, FileNotFoundError):
        text = _missing(Path(str(error.filename or "")))
    elif isinstance(error, OSError):
        name = str(error.filename or "")
        place = _without_folder(name) if settings.read_only() else name
        text = plain_text(f"{error.strerror or type(error).__name__}: {place}")
        if error.errno == errno.EROFS:
            text += ". " + t("Nothing can be trained or changed until the workspace can be written.")
    else:
        text = t(
            "Unexpected error {number}. The server's log has the details under this number.",
            number=logs.unexpected(error),
        )
    st.error(text, icon=":material/error:")
    return True


def _missing(path: Path) -> str:
    """Say that a file is missing, or that its run or dataset was deleted while the page was open."""
    for folder in (settings.runs_folder(), settings.datasets_folder()):
        if folder in path.parents:
            name = path.relative_to(folder).parts[0]
            if not (folder / name).exists():
                return t(
                    "{name} was deleted or moved to the trash meanwhile. Reload the page and choose another one.",
                    name=plain_text(name),
                )
    place = path.name if settings.read_only() else str(path)
    return t("{file} is missing. `cxr doctor` checks the workspace.", file=plain_text(place))


def error_text(message: Message) -> str:
    """Return a message as Markdown; where the dashboard is read-only, a path in it is the file's name alone."""
    return plain_text(translate(_without_folders(message) if settings.read_only() else message))


def _without_folders(message: Message) -> Message:
    values = {name: _shortened(value) for name, value in message.values.items()}
    return message.model_copy(update={"values": values})


def _shortened(value: object) -> object:
    if isinstance(value, Message):
        return _without_folders(value)
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    return _without_folder(value) if isinstance(value, str) else value


def _without_folder(text: str) -> str:
    path = PurePath(text)
    return path.name if path.is_absolute() else re.sub(r"(?<![\w.:/])/(?:[^/\s]+/)+", "", text)


def damaged(found: Mapping[str, Message]) -> None:
    """List runs or datasets that cannot be read, by name with the reason; nothing if there is none."""
    if not found:
        return
    with st.expander(t("Damaged ({n})", n=len(found)), icon=":material/broken_image:"):
        st.caption(t("These cannot be read and are left out everywhere else. Their files were not changed."))
        for name, message in found.items():
            st.markdown(f"- **{plain_text(name)}**: {error_text(message)}")


def empty(text: str, label: str, page: str) -> None:
    """Say that there is nothing to show yet and offer the next step; ends the page."""
    st.info(text, icon=":material/info:")
    if st.button(label, type="primary"):
        st.switch_page(page)
    st.stop()


def duration(seconds: float) -> str:
    """Return a rounded time, for example `40 s`, `3 min` or `1 h 20 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def numbers(values: Mapping[str, str | int]) -> None:
    """Show numbers side by side under their names (Markdown); a narrow window wraps them."""
    row = st.container(horizontal=True, gap="medium")
    for name, value in values.items():
        row.metric(name, value, width="content")
