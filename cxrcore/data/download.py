"""The public sets: fetched once into `CXR_HOME`, resumed where it stopped, checked, and then imported as a ZIP."""

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from cxrcore import settings
from cxrcore.data.readers import class_folders, covid_chestxray
from cxrcore.errors import UserError
from cxrcore.files import write_text
from cxrcore.i18n import N_
from cxrcore.messages import msg

Progress = Callable[[int, int], None]
TRIES = 4  # a dropped connection is taken up again where it ended
CONNECT_SECONDS, READ_SECONDS = 5, 30
SPARE = 200 * 2**20  # bytes of disk that stay free


@dataclass(frozen=True)
class PublicSet:
    """`megabytes`: about how much is fetched, 0 if the publisher does not say. `sha256`: "" if there is none."""

    key: str
    title: str
    address: str
    file: str
    sha256: str
    megabytes: int
    licence: str
    citation: str


PUBLIC = {
    found.key: found
    for found in (
        PublicSet(
            "covid-chestxray", "COVID-19 Image Data Collection",
            "https://github.com/ieee8023/covid-chestxray-dataset/archive/refs/heads/master.zip",
            "covid-chestxray-dataset.zip", "", 0,
            N_("each image has its own, many do not allow commercial use"), covid_chestxray.CITATION,
        ),
        PublicSet(
            "kermany", "Chest X-Ray Images (Kermany et al.)",
            "https://data.mendeley.com/public-files/datasets/rscbjbr9sj/files/"
            "f12eaf6d-6023-432f-acc9-80c9d7393433/file_downloaded",
            "ChestXRay2017.zip", "13efc055629733dbab07877f8b3c9f81097840dbcdaa326a8542322c2281ce36", 1200,
            "CC BY 4.0", class_folders.CITATION,
        ),
    )
}  # fmt: skip


def folder() -> Path:
    """Return where downloads are kept."""
    return settings.home() / "downloads"


def on_disk(chosen: PublicSet) -> Path | None:
    """Return the file of a public set if it was fetched, else None."""
    path = folder() / chosen.file
    return path if path.is_file() else None


def fetch(key: str, progress: Progress | None = None) -> Path:
    """Return the ZIP of a public set, downloading it if it is not there; an interrupted download goes on.

    Args:
        key: a key of `PUBLIC`.
        progress: called with (bytes done, bytes in all, 0 if the server does not say).

    Raises:
        UserError: no such set, no network, not enough disk, a wrong file, or the download runs already.
    """
    import pooch
    import requests

    if key not in PUBLIC:
        raise UserError(
            "public set: expected one of {expected}. Received: {key!r}", expected=", ".join(PUBLIC), key=key
        )
    chosen = PUBLIC[key]
    settings.require_writable()
    folder().mkdir(parents=True, exist_ok=True)
    pooch.get_logger().setLevel("WARNING")  # the progress is shown by whoever asked
    part = folder() / f"{chosen.file}.part"
    lock = FileLock(folder() / f"{chosen.file}.lock")
    try:
        with lock.acquire(timeout=0):
            known = f"sha256:{chosen.sha256}" if chosen.sha256 else None
            down = _Resuming(part, chosen, progress or (lambda done, total: None))
            path = Path(pooch.retrieve(_address(chosen), known, chosen.file, folder(), downloader=down))
    except Timeout as error:
        raise UserError("{title} is being downloaded already, in another tab or window.", title=chosen.title) from error
    except (requests.RequestException, OSError) as error:
        raise UserError(_failed(chosen, part, error)) from error
    except ValueError as error:  # pooch's word for a wrong hash; it has removed the file
        raise UserError(
            "What came from {address} is not the published file (its hash differs).", address=_address(chosen)
        ) from error
    if not zipfile.is_zipfile(path):
        path.unlink()
        raise UserError(
            "What came from {address} is not a ZIP, so it was not kept. Try again later.", address=_address(chosen)
        )
    return path


def _address(chosen: PublicSet) -> str:
    mirror = settings.read("CXR_MIRROR")
    return f"{mirror.rstrip('/')}/{chosen.file}" if mirror else chosen.address


def _failed(chosen: PublicSet, part: Path, error: Exception) -> str:
    failed = msg(
        "{title} could not be downloaded ({error}). Without a network: get {file} from {address} elsewhere and put it "
        "into {folder}, or set CXR_MIRROR.",
        title=chosen.title, error=type(error).__name__, file=chosen.file, address=chosen.address, folder=part.parent,
    )  # fmt: skip
    if not part.is_file():
        return failed
    size = part.stat().st_size / 2**20
    return msg("{failed} {size:.0f} MB are kept; start it again to go on.", failed=failed, size=size)


@dataclass(frozen=True)
class _Resuming:
    """A downloader for pooch that keeps what has come in `part` until it is whole."""

    part: Path
    chosen: PublicSet
    progress: Progress

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        import requests

        for attempt in range(TRIES):
            try:
                self._go_on(url)
                break
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                if attempt == TRIES - 1 or not self._have():
                    raise
        shutil.move(self.part, output_file)
        self.part.with_suffix(".etag").unlink(missing_ok=True)

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _go_on(self, url: str) -> None:
        import requests

        version = self.part.with_suffix(".etag")  # which file the part is of, where no hash could tell
        mark = version.read_text() if version.is_file() else ""
        have = self._have() if mark or self.chosen.sha256 else 0
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        headers |= {"If-Range": mark} if have and mark else {}
        with requests.get(url, headers=headers, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as answer:
            if answer.status_code == 416:  # nothing is left to send, or the file has changed: its hash will tell
                return
            answer.raise_for_status()
            if answer.status_code != 206:
                have = 0
            left = int(answer.headers.get("Content-Length", 0))
            total = have + left if left else 0
            self._refuse_full_disk(left)
            write_text(version, answer.headers.get("ETag", ""))
            with self.part.open("ab" if have else "wb") as file:
                for chunk in answer.iter_content(2**16):
                    file.write(chunk)
                    have += len(chunk)
                    self.progress(have, total)

    def _refuse_full_disk(self, left: int) -> None:
        needed = (left or max(0, self.chosen.megabytes * 2**20 - self._have())) + SPARE
        free = shutil.disk_usage(self.part.parent).free
        if free < needed:
            raise UserError(
                "{title} needs {needed:.0f} MB of disk; {parent} has {free:.0f} MB. Free some space, or set "
                "CXR_HOME to a larger disk.",
                title=self.chosen.title,
                needed=needed / 2**20,
                parent=self.part.parent,
                free=free / 2**20,
            )
