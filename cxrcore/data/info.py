"""What a dataset keeps about itself in `dataset.json`."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from cxrcore.messages import Message
from cxrcore.schema import Stored


class Source(BaseModel):
    """Where images came from: the layout that was recognised, the folder or file, and how to cite it."""

    model_config = ConfigDict(frozen=True)

    layout: str
    path: str = ""
    citation: Message = Message(id="")


class PhantomSettings(BaseModel):
    """How a phantom dataset was generated; `planted_class` carries a confounding marker, None for no class."""

    model_config = ConfigDict(frozen=True)

    seed: int = 0
    patients: int = 60
    images: int = 2
    planted_class: str | None = None


class DatasetInfo(Stored):
    """`created` is an ISO time, `mapping` is finding to class as chosen at the import, `phantom` None for X-rays."""

    created: str = ""
    sources: list[Source] = Field(default_factory=list)
    mapping: dict[str, str] = Field(default_factory=dict)
    phantom: PhantomSettings | None = None

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Check that a file of version 1, which had no version, is one of a dataset."""
        if "sources" not in values:
            raise ValueError("not a dataset")
        return values
