"""What a dataset keeps about itself in `dataset.json`."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from cxrcore.data.classes import TUTORIAL
from cxrcore.messages import Message
from cxrcore.schema import Stored
from cxrcore.sealing import Sealed


class Source(BaseModel):
    """Where images came from: the layout that was recognised, the folder or file, and how to cite it."""

    model_config = ConfigDict(frozen=True)

    layout: str
    path: str = ""
    citation: Message = Message(id="")


class PhantomSettings(BaseModel):
    """How a phantom dataset was generated; `planted_class` carries a confounding marker, None for no class.

    `classes`: names of `phantom.lesions.DISEASES`, in the order of the dataset's classes.
    """

    model_config = ConfigDict(frozen=True)

    seed: int = 0
    patients: int = 60
    images: int = 2
    classes: tuple[str, ...] = TUTORIAL
    planted_class: str | None = None


class DatasetInfo(Stored):
    """What is known of a dataset.

    Attributes:
        created: an ISO time.
        sources: where its images came from.
        mapping: finding to class as chosen at the import, "" for one that was left out.
        classes: in their order; empty in datasets of earlier versions, which have the order of `classes.ordered`.
        positive: the positive class that was chosen for a two-class question, "" for `classes.positive`'s default.
        phantom: how its images were generated, None for X-rays.
        notes: what the readers noticed, for example masks that belong to no image.
    """

    created: str = ""
    sources: Annotated[list[Source], Sealed([], [])] = Field(default_factory=list)
    mapping: Annotated[dict[str, str], Sealed({}, {})] = Field(default_factory=dict)
    classes: list[str] = Field(default_factory=list)
    positive: str = ""
    phantom: PhantomSettings | None = None
    notes: Annotated[list[Message], Sealed([], [])] = Field(default_factory=list)

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Check that a file of version 1, which had no version, is one of a dataset."""
        if "sources" not in values:
            raise ValueError("not a dataset")
        return values
