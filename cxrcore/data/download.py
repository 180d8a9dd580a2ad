"""The public datasets: downloaded once into `CXR_HOME`, resumable, verified, and then imported as a ZIP."""

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from cxrcore import settings
from cxrcore.data.readers import class_folders, covid_chestxray
from cxrcore.errors import UserError
from cxrcore.files import write_text
from cxrcore.messages import Message, msg, plain
from cxrcore.progress import Progress, ignore

TRIES = 4  # after a dropped connection the download is resumed
CONNECT_SECONDS, READ_SECONDS = 5, 30
SPARE = 200 * 2**20  # bytes of disk that stay free


@dataclass(frozen=True)
class PublicSet:
    """`megabytes`: the approximate size, 0 if not published. `sha256`: "" if not published."""

    key: str
    title: str
    address: str
    file: str
    sha256: str
    megabytes: int
    licence: Message
    citation: str


_SETS = (
    PublicSet(
        key="covid-chestxray",
        title="COVID-19 Image Data Collection",
        address="https://github.com/ieee8023/covid-chestxray-dataset/archive/refs/heads/master.zip",
        file="covid-chestxray-dataset.zip",
        sha256="",
        megabytes=0,
        licence=msg("each image has its own, many do not allow commercial use"),
        citation=covid_chestxray.CITATION,
    ),
    PublicSet(
        key="kermany",
        title="Chest X-Ray Images (Kermany et al.)",
        address="https://data.mendeley.com/public-files/datasets/rscbjbr9sj/files/"
        "f12eaf6d-6023-432f-acc9-80c9d7393433/file_downloaded",
        file="ChestXRay2017.zip",
        sha256="13efc055629733dbab07877f8b3c9f81097840dbcdaa326a8542322c2281ce36",
        megabytes=1200,
        licence=plain("CC BY 4.0"),
        citation=class_folders.CITATION,
    ),
)
PUBLIC = {chosen.key: chosen for chosen in _SETS}


def folder() -> Path:
    """Return where downloads are kept."""
    return settings.home() / "downloads"


def on_disk(chosen: PublicSet) -> Path | None:
    """Return the file of a public dataset if it was downloaded, else None."""
    path = folder() / chosen.file
    return path if path.is_file() else None


def fetch(key: str, progress: Progress = ignore) -> Path:
    """Return the ZIP of a public dataset, downloading it if necessary; an interrupted download is resumed.

    Args:
        key: a key of `PUBLIC`.
        progress: called with (bytes done, bytes in all, 0 if the server does not say).

    Raises:
        UserError: no such dataset, no network, not enough disk, a wrong file, or the download is running already.
    """
    import pooch
    import requests

    if key not in PUBLIC:
        raise UserError(
            "public dataset: expected one of {expected}. Received: {key!r}", expected=", ".join(PUBLIC), key=key
        )
    chosen = PUBLIC[key]
    settings.require_writable()
    folder().mkdir(parents=True, exist_ok=True)
    pooch.get_logger().setLevel("WARNING")  # the caller shows the progress
    part = folder() / f"{chosen.file}.part"
    lock = FileLock(folder() / f"{chosen.file}.lock")
    try:
        with lock.acquire(timeout=0):
            known = f"sha256:{chosen.sha256}" if chosen.sha256 else None
            down = _Resuming(part, chosen, progress)
            path = Path(pooch.retrieve(_address(chosen), known, chosen.file, folder(), downloader=down))
    except Timeout as error:
        raise UserError("{title} is being downloaded already, in another tab or window.", title=chosen.title) from error
    except (requests.RequestException, OSError) as error:
        raise _failure(chosen, part, error) from error
    except ValueError as error:  # pooch found a wrong hash and has removed the file
        raise UserError(
            "The file from {address} is not the published one (its hash differs).", address=_address(chosen)
        ) from error
    if not zipfile.is_zipfile(path):
        path.unlink()
        raise UserError(
            "The file from {address} is not a ZIP, so it was not kept. Try again later.", address=_address(chosen)
        )
    return path


def _address(chosen: PublicSet) -> str:
    mirror = settings.read("CXR_MIRROR")
    return f"{mirror.rstrip('/')}/{chosen.file}" if mirror else chosen.address


def _failure(chosen: PublicSet, part: Path, error: Exception) -> UserError:
    failed = msg(
        "{title} could not be downloaded ({error}). Without a network: get {file} from {address} elsewhere and put it "
        "into {folder}, or set CXR_MIRROR.",
        title=chosen.title,
        error=type(error).__name__,
        file=chosen.file,
        address=chosen.address,
        folder=part.parent,
    )
    if not part.is_file():
        return UserError("{failed}", failed=failed)
    size = part.stat().st_size / 2**20
    return UserError(
        "{failed} {size:.0f} MB are kept; start the download again to resume it.", failed=failed, size=size
    )


@dataclass(frozen=True)
class _Resuming:
    """A downloader for pooch that keeps what it has received in `part` until the file is complete."""

    part: Path
    chosen: PublicSet
    progress: Progress

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        import requests

        for attempt in range(TRIES):
            try:
                self._resume(url)
                break
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                if attempt == TRIES - 1 or not self._have():
                    raise
        shutil.move(self.part, output_file)
        self.part.with_suffix(".etag").unlink(missing_ok=True)

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _resume(self, url: str) -> None:
        import requests

        version = self.part.with_suffix(".etag")  # identifies the file that the part belongs to, where there is no hash
        mark = version.read_text() if version.is_file() else ""
        have = self._have() if mark or self.chosen.sha256 else 0
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        headers |= {"If-Range": mark} if have and mark else {}
        with requests.get(url, headers=headers, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as answer:
            if answer.status_code == 416:  # complete, or the file has changed, which its hash shows
                return
            answer.raise_for_status()
            if answer.status_code != 206:
                have = 0
            left = int(answer.headers.get("Content-Length", 0))
            total = have + left if left else 0
            self._check_disk(left)
            write_text(version, answer.headers.get("ETag", ""))
            with self.part.open("ab" if have else "wb") as file:
                for chunk in answer.iter_content(2**16):
                    file.write(chunk)
                    have += len(chunk)
                    self.progress(have, total)

    def _check_disk(self, left: int) -> None:
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
