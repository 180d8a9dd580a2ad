"""Opening one listed image: its hash, its size, what its header tells, what can be measured; or why it is left out."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxrcore.data.dicom import is_dicom
from cxrcore.data.image_statistics import measure
from cxrcore.data.images import Decoded, ImageError, decode, png, read
from cxrcore.data.readers.base import not_frontal
from cxrcore.files import write_bytes


@dataclass(frozen=True)
class ImageInspector:
    """`folder`: the dataset's own; images that are no files of their own on disk are copied into it.

    `roots`: the folders that files may lie in, None for anywhere. `salt`: what the patients of DICOM files are hashed
    with.
    """

    folder: Path
    roots: Sequence[Path] | None
    salt: str

    def open(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return what was found, to be laid over `record`: columns of the table, and `measures` if it can be used."""
        if record["left_out"]:
            return {}
        try:
            content = self._content(record)
            opened = decode(content)
            view = opened.facts.view or record["view"]
            if not_frontal(view):
                raise ImageError(not_frontal(view).removeprefix("view: "), kind="view")
            path, content = self._keep(record, content, opened)
        except ImageError as error:
            return {"left_out": f"{error.kind}: {error}"}
        return {
            "path": path,
            "sha256": hashlib.sha256(content).hexdigest(),
            "width": opened.image.width,
            "height": opened.image.height,
            "format": opened.format,
            "modality": opened.facts.modality,
            "burned_in": opened.facts.burned_in,
            "bits": opened.bits,
            "view": view,
            "measures": measure(opened.image.convert("RGB")),
            **self._person(record, opened),
        }

    def _content(self, record: dict[str, Any]) -> bytes:
        if record["content"] is not None:
            return record["content"]()
        path = Path(record["path"])
        if self.roots is not None and not any(path.resolve().is_relative_to(root) for root in self.roots):
            raise ImageError("the file lies outside of the folders that may be read (CXR_DATA_ROOTS)", kind="outside")
        return read(path)

    def _keep(self, record: dict[str, Any], content: bytes, opened: Decoded) -> tuple[str, bytes]:
        """Return the path and the bytes to be used from now on; of a DICOM file only the pixels are copied."""
        if record["content"] is None:
            return record["path"], content
        of_dicom = is_dicom(content)  # its name may be a patient's, as in many exports
        name = ".png" if of_dicom else f"-{Path(record['path']).name[-80:]}"
        content = png(opened.grey()) if of_dicom else content
        relative = Path("images") / f"{hashlib.sha256(content).hexdigest()[:16]}{name}"
        write_bytes(self.folder / relative, content)
        return str(relative), content

    def _person(self, record: dict[str, Any], opened: Decoded) -> dict[str, str]:
        facts = opened.facts
        found = {"sex": record["sex"] or facts.sex, "age": record["age"] or facts.age}
        if facts.patient and not record["patient"]:
            found["patient"] = "dicom:" + hashlib.sha256((self.salt + facts.patient).encode()).hexdigest()[:16]
        return found
