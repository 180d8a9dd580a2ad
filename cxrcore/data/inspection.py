"""Opening one listed image at the import: its hash, size, header and statistics, or why it is left out."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from cxrcore.data import exclusions, image_metadata
from cxrcore.data.dicom import is_dicom
from cxrcore.data.errors import ImageError
from cxrcore.data.image_statistics import measure
from cxrcore.data.images import MAX_FILE, Decoded, opened, png, read
from cxrcore.data.mask_files import MaskWriter
from cxrcore.data.memory import MemoryBudget
from cxrcore.data.readers.base import not_frontal
from cxrcore.files import write_bytes
from cxrcore.messages import Message

_files = MemoryBudget(MAX_FILE)


class InspectedImage(BaseModel):
    """What was found in one image: the columns of the table that are set, and its statistics if it can be used.

    `without_mask`: why a mask of the image was left out.
    """

    model_config = ConfigDict(frozen=True)

    path: str = ""
    sha256: str = ""
    width: int = 0
    height: int = 0
    format: str = ""
    bits: int = 0
    modality: str = ""
    burned_in: str = ""
    view: str = ""
    sex: str = ""
    age: str = ""
    patient: str = ""
    left_out: str = ""
    left_out_reason: str = ""
    lungs: str = ""
    lesions: str = ""
    measures: dict[str, str | float] = {}
    without_mask: Message | None = None

    def columns(self) -> dict[str, str | int]:
        """Return the columns that were found, to replace those of the listed row."""
        return self.model_dump(exclude={"measures", "without_mask"}, exclude_unset=True)


@dataclass(frozen=True)
class ImageInspector:
    """`folder`: the dataset's own; images that are not files on disk are copied into it.

    `allowed`: the folders that files may lie in, None for anywhere. `salt`: patient identifiers of DICOM files are
    hashed with it.
    """

    folder: Path
    allowed: Sequence[Path] | None
    salt: str

    def inspect(self, row: Mapping[str, Any]) -> InspectedImage:
        """Return what was found in the image of a listed row (see `readers.base`)."""
        if row["left_out"]:
            return InspectedImage()
        try:
            found = self._opened(row)
        except ImageError as error:
            return InspectedImage(**exclusions.columns(error.kind, error.message))
        # Masks only now: threads that hold memory for their images could wait for ever for that of their masks.
        return found if found.left_out else found.model_copy(update=self._masks(row, found))

    def _opened(self, row: Mapping[str, Any]) -> InspectedImage:
        with _files.reserve(self._size(row)):
            content = self._content(row)
            with opened(content) as image:
                return self._inspected(row, content, image)

    def _inspected(self, row: Mapping[str, Any], content: bytes, image: Decoded) -> InspectedImage:
        facts = image.facts
        view = facts.view or row["view"]
        if reason := not_frontal(view):
            return InspectedImage(**exclusions.columns("view", reason))
        path, content = self._keep(row, content, image)
        patient = {}
        if facts.patient and not row["patient"]:
            patient["patient"] = "dicom:" + hashlib.sha256((self.salt + facts.patient).encode()).hexdigest()[:16]
        digest = hashlib.sha256(content).hexdigest()
        return InspectedImage(
            path=path,
            sha256=digest,
            width=image.image.width,
            height=image.image.height,
            format=image.format,
            bits=image.bits,
            modality=facts.modality,
            burned_in=facts.burned_in,
            view=view,
            sex=row["sex"] or facts.sex,
            age=row["age"] or facts.age,
            measures=measure(image.image),
            **patient,
        )

    def _masks(self, row: Mapping[str, Any], image: InspectedImage) -> dict[str, Any]:
        writer = MaskWriter(self.folder, self.allowed)
        size = (image.width, image.height)
        found: dict[str, Any] = {}
        for kind, boxes in (("lungs", ""), ("lesions", row["boxes"])):
            try:
                if row[kind] or boxes:
                    found[kind] = writer.save(kind, image.sha256, size, row[kind], boxes)
            except ImageError as error:
                found["without_mask"] = error.message
        return found

    def _size(self, row: Mapping[str, Any]) -> int:
        """Return the bytes of a file on disk, which are held in memory; 0 for an unreadable or too large one."""
        path = Path(row["path"])
        size = path.stat().st_size if row["content"] is None and path.is_file() else 0
        return size if size <= MAX_FILE else 0

    def _content(self, row: Mapping[str, Any]) -> bytes:
        if row["content"] is not None:
            content: bytes = row["content"]()
            return content
        path = Path(row["path"])
        return read(path, self.allowed)

    def _keep(self, row: Mapping[str, Any], content: bytes, image: Decoded) -> tuple[str, bytes]:
        """Return the path and the bytes to be used from now on.

        A copy has neither its file's name nor its metadata, which may name the patient: of a DICOM file only the pixels
        are copied.
        """
        if row["content"] is None:
            return row["path"], content
        copied, suffix = (png(image.grey()), ".png") if is_dicom(content) else image_metadata.removed(content, image)
        relative = f"images/{hashlib.sha256(copied).hexdigest()[:16]}{suffix}"
        write_bytes(self.folder / relative, copied)
        return relative, copied
