"""From the findings that sources name to the classes that a model learns."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from cxrcore.data import classes, exclusions
from cxrcore.data.classes import LEAST, LEAVE_OUT, NO_FOLDER
from cxrcore.data.readers.base import SEPARATOR, Reading
from cxrcore.errors import UserError
from cxrcore.i18n import N_
from cxrcore.messages import Message, msg

Uncertain = Literal["left out", "positive", "negative"]
UNCERTAIN: tuple[Uncertain, ...] = ("left out", "positive", "negative")
# Code of how an uncertain label is used -> its text.
UNCERTAIN_TITLES = {"left out": N_("left out"), "positive": N_("positive"), "negative": N_("negative")}
# Reasons of rows that are never opened, whatever their class.
_NAMED = 8  # findings that a summary names
MOST_FINDINGS = 10_000  # the most detailed public set, PadChest, has 174
_NOT_COUNTED = ("view", "repeated", "missing", "modality")


@dataclass(frozen=True)
class Choices:
    """What the user chose for the findings of the sources. Upper and lower case of a finding are the same.

    Attributes:
        mapping: finding, or source/finding, to class; "" leaves it out. Any other finding has its default.
        keep: findings, or source/finding, that keep their names as classes. If any is given, all findings that are
            neither kept nor mapped are left out.
        leave_out: findings, or source/finding, that are left out.
        uncertain: what a finding that the source marks as uncertain counts as.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    keep: Sequence[str] = ()
    leave_out: Sequence[str] = ()
    uncertain: Uncertain = "left out"

    @property
    def named(self) -> list[str]:
        """Every finding that is named in them."""
        return [*self.mapping, *self.keep, *self.leave_out]

    def by_finding(self, known: Collection[str]) -> dict[str, str | None]:
        """Return finding, or source/finding, to class, "" to leave it out, None to keep its name.

        The keys are as they were given and in capital letters. `known` are the findings that there are: those that
        differ only by case may have different choices.

        Raises:
            UserError: two choices for one finding, or a class name that is not allowed.
        """
        spellings: dict[str, list[str]] = {}
        for name in self.named:
            spellings.setdefault(name.upper(), []).append(name)
        for name, given in spellings.items():
            if len(given) > 1 and not (len(set(given)) == len(given) and set(given) <= set(known)):
                raise UserError("finding {name!r}: expected one choice. Received: {count}", name=name, count=len(given))
        found = {
            **dict.fromkeys(self.leave_out, LEAVE_OUT),
            **dict.fromkeys(self.keep),
            **{name: classes.checked(label) if label else LEAVE_OUT for name, label in self.mapping.items()},
        }
        return {name.upper(): choice for name, choice in found.items()} | found


@dataclass(frozen=True)
class Finding:
    """A finding of one source with its images and patients, and the class that it has."""

    source: str
    name: str
    images: int
    patients: int
    label: str
    uncertain: int = 0


def _displayed(found: Finding) -> Message | str:
    return Message(id=found.name) if found.name == NO_FOLDER else found.name


@dataclass(frozen=True)
class Mapped:
    """The rows of all sources with their `label`, and the findings that they have."""

    table: pd.DataFrame
    findings: list[Finding]

    @property
    def classes(self) -> list[str]:
        """The classes that at least one listed image has, in the default order."""
        return classes.ordered(self.counts())

    @property
    def left_out(self) -> list[Finding]:
        """The findings without a class."""
        return [finding for finding in self.findings if finding.label == LEAVE_OUT]

    def counts(self) -> dict[str, int]:
        """Return the listed images by class, before any is opened."""
        used = self.table["label"][self.table["left_out"] == ""]
        return {str(name): int(count) for name, count in used.value_counts().items()}

    def summary(self) -> Message:
        """Return the classes and what is left out, by name and number of images."""
        counts = [
            msg("{name} {n}", name=classes.display(name), n=n) for name, n in self._by_class(self.counts()).items()
        ]
        sentence = msg("{n} classes: {counts}.", n=len(counts), counts=counts)
        left_out = [msg("{name} {n}", name=_displayed(found), n=found.images) for found in self.left_out]
        if left_out:
            more = len(left_out) - _NAMED
            named = [*left_out[:_NAMED], msg("and {n} more", n=more)] if more > 0 else left_out
            sentence = msg(
                "{sentence} Findings left out: {n} ({named}).", sentence=sentence, n=len(left_out), named=named
            )
        for kind, text in (
            ("several", N_("{sentence} Images with findings of several classes, left out: {n}.")),
            ("uncertain", N_("{sentence} Images with uncertain findings, left out: {n}.")),
        ):
            if n := int((self.table["left_out"] == kind).sum()):
                sentence = Message(id=text, values={"sentence": sentence, "n": n})
        masks = [
            msg("{kind} {n}", kind=Message(id=title), n=n)
            for kind, title in (("lungs", N_("lungs")), ("lesions", N_("lesions")))
            if (n := self._masks(kind))
        ]
        return msg("{sentence} Masks: {masks}.", sentence=sentence, masks=masks) if masks else sentence

    def _masks(self, kind: str) -> int:
        """Return how many listed images of a class have masks or boxes."""
        known = self.table[kind].str.len() > 0
        if kind == "lesions":
            known |= self.table["boxes"] != ""
        return int((known & (self.table["left_out"] == "")).sum())

    def _by_class(self, counts: Mapping[str, int]) -> dict[str, int]:
        return {name: counts[name] for name in self.classes}

    def check(self, least: int = LEAST) -> None:
        """Raise `UserError` unless there are `least` to 50 classes; the message names the findings."""
        names = self.classes
        if len(names) < least:
            most = sorted(self.findings, key=lambda finding: -finding.images)
            raise UserError(
                "A classifier needs at least two classes. Received: {names}. Findings: {findings}. Choose the class of "
                "findings; on the command line with --map, --keep and --leave-out, for example {example}.",
                names=names or msg("none"),
                example=" ".join(f'--keep "{name}"' for name in list(dict.fromkeys(found.name for found in most))[:2]),
                findings=[msg("{name} ({n})", name=_displayed(found), n=found.images) for found in self.findings[:30]]
                or msg("none"),
            )
        if len(names) > classes.MOST:
            raise UserError(
                "A dataset has at most {most} classes. Received: {n}, for example {names}. Map several findings to "
                "one class, or leave some out.",
                most=classes.MOST,
                n=len(names),
                names=names[:5],
            )


def apply(readings: Sequence[Reading], choices: Choices | None = None) -> Mapped:
    """Return one table of all readings with labels; images that belong to no class are left out with the reason.

    By default, class folders and lists keep their findings as classes, merged where the names differ only by case,
    spaces, underscores or hyphens. Usual names of "no finding" and of COVID-19 are one class where sources are merged.
    The COVID-19 image data collection beside other sources gives the tutorials' three classes.

    Raises:
        UserError: a choice for a finding that no source has, a class name that is not allowed, or over `MOST_FINDINGS`
            findings.
    """
    choices = choices or Choices()
    _check_count(readings)
    defaults = _defaults(readings)
    chosen = choices.by_finding({text for source, finding in defaults for text in (finding, f"{source}/{finding}")})
    tables, findings = [], []
    spelled: dict[str, str] = {}
    for reading in readings:
        labels = _labels(reading, defaults, chosen, bool(choices.keep))
        labels = {pair: spelled.setdefault(name.casefold(), name) for pair, name in labels.items()}
        tables.append(_labelled(reading, labels, choices.uncertain))
        findings += _findings(reading, labels)
    _check_findings(findings, choices.named)
    return Mapped(pd.concat(tables, ignore_index=True), findings)


def _check_count(readings: Sequence[Reading]) -> None:
    names = list(dict.fromkeys(finding for reading in readings for _, finding in _pairs(reading)))
    if len(names) > MOST_FINDINGS:
        raise UserError(
            "There are {n} different findings, for example {names}. At most {most} can be read. Is another column that "
            "of the findings?",
            n=len(names),
            names=[classes.readable(name) for name in names[:3]],
            most=MOST_FINDINGS,
        )


def _defaults(readings: Sequence[Reading]) -> dict[tuple[str, str], str]:
    """Return the class of each (source, finding) by default."""
    several = sum(not reading.rows.empty for reading in readings) > 1
    tutorial = several and any(reading.layout == "covid-chestxray-dataset" for reading in readings)
    usual = _usual_names(readings, several)
    found: dict[tuple[str, str], str] = {}
    spelled: dict[str, str] = {}  # the first spelling of each name
    free = _FreeNames()
    for reading in readings:
        for source, finding in _pairs(reading):
            if finding == NO_FOLDER or not finding:
                name = LEAVE_OUT
            elif reading.known is not None:
                name = {known.upper(): label for known, label in reading.known.items()}.get(finding.upper(), LEAVE_OUT)
            else:
                name = classes.tutorial_class(finding) if tutorial else classes.merged_class(finding)
                if name not in usual and not tutorial:
                    name = LEAVE_OUT
                key = classes.key(finding)
                if not name and key not in spelled:
                    spelled[key] = free.take(own_name(finding))
                name = name or spelled[key]
            found[source, finding] = name
    return found


def _usual_names(readings: Sequence[Reading], several: bool) -> set[str]:
    """Return the classes whose usual names are merged: all where several places are read, else those that are spelled
    in several ways, as in a folder with the sets of several hospitals.
    """
    if several:
        return {classes.NORMAL, classes.COVID}
    spellings: dict[str, set[str]] = {}
    for reading in readings:
        for _, finding in _pairs(reading):
            spellings.setdefault(classes.merged_class(finding), set()).add(classes.key(finding))
    return {name for name, keys in spellings.items() if name and len(keys) > 1}


class _FreeNames:
    """Class names that differ: of two long findings with one beginning, the second gets a number."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._numbers: dict[str, int] = {}  # the last number of each name: counting from 1 would be quadratic

    def take(self, name: str) -> str:
        """Return a name that was not taken before; `LEAVE_OUT` stays as it is."""
        if name == LEAVE_OUT:
            return name
        free, number = name, self._numbers.get(name, 1)
        while free in self._used:
            number += 1
            end = f" ({number})"
            free = name[: classes.LONGEST - len(end)].rstrip() + end
        self._used.add(free)
        self._numbers[name] = number
        return free


def own_name(finding: str) -> str:
    """Return a finding as a class name, "" if nothing of it can be; the tutorials' names are written as they are."""
    name = classes.prettified(finding)
    return name.upper() if name.upper() in classes.TUTORIAL else name


def _labels(
    reading: Reading,
    defaults: Mapping[tuple[str, str], str],
    chosen: Mapping[str, str | None],
    only_kept: bool,
) -> dict[tuple[str, str], str]:
    """Return the class of each (source, finding): the user's choice, or the default."""
    found = {}
    for pair in _pairs(reading):
        source, finding = pair
        name: str | None = LEAVE_OUT if only_kept or reading.several else defaults[pair]
        own = f"{source}/{finding}"
        for wanted in (finding.upper(), finding, own.upper(), own):  # the last has precedence
            if wanted in chosen:
                name = chosen[wanted]
        found[pair] = (defaults[pair] or own_name(finding)) if name is None else name
    return found


def _pairs(reading: Reading) -> list[tuple[str, str]]:
    """Return the distinct (source, finding), in the order of the rows."""
    listed = reading.rows[["source", "finding"]].drop_duplicates()
    pairs = [
        (source, name)
        for source, finding in listed.itertuples(index=False)
        for name in names_of(finding, reading.several)
    ]
    if reading.several:
        uncertain = reading.rows[["source", "uncertain"]].drop_duplicates()
        pairs += [(source, name) for source, names in uncertain.itertuples(index=False) for name in names_of(names)]
    return list(dict.fromkeys(pairs))


def names_of(finding: str, several: bool = True) -> list[str]:
    """Return the findings in the column `finding` or `uncertain`."""
    return [name for name in finding.split(SEPARATOR) if name] if several else [finding]


def _labelled(reading: Reading, labels: Mapping[tuple[str, str], str], uncertain: Uncertain) -> pd.DataFrame:
    """Return the rows with `label`; those that belong to no class, or to several, are left out."""
    rows = reading.rows.copy()
    answers = {}
    combinations = rows[["source", "finding", "uncertain"]].drop_duplicates()
    for source, finding, doubtful in combinations.itertuples(index=False):
        answers[source, finding, doubtful] = _answer(
            names_of(finding, reading.several), names_of(doubtful), source, labels, uncertain
        )
    keys = zip(*(rows[name].tolist() for name in ("source", "finding", "uncertain")), strict=True)
    found = [answers[key] for key in keys]
    rows["label"] = [label for label, _ in found]
    rows["boxes"] = [
        _boxes_of_class(boxes, label, source, labels) if boxes else ""
        for boxes, label, source in zip(*(rows[name].tolist() for name in ("boxes", "label", "source")), strict=True)
    ]
    free = rows["left_out"] == ""
    for column in ("left_out", "left_out_reason"):
        why = pd.Series([reason.get(column, "") for _, reason in found], index=rows.index, dtype=object)
        rows[column] = rows[column].mask(free, why)
    return rows


def _boxes_of_class(boxes: str, label: str, source: str, labels: Mapping[tuple[str, str], str]) -> str:
    """Return the boxes around findings of the image's class, "" if there are none."""
    kept = [box for box in json.loads(boxes) if not box[0] or labels.get((source, box[0])) == label]
    return json.dumps(kept) if kept and label else ""


def _answer(
    findings: Sequence[str],
    doubtful: Sequence[str],
    source: str,
    labels: Mapping[tuple[str, str], str],
    uncertain: Uncertain,
) -> tuple[str, dict[str, str]]:
    """Return the class of an image with these findings, and the columns of the reason if it is left out."""
    used = {labels[source, name] for name in findings} - {LEAVE_OUT}
    asked = {labels[source, name] for name in doubtful} - {LEAVE_OUT}
    if uncertain == "positive":
        used |= asked
    elif uncertain == "left out" and asked - used:
        names = [name for name in doubtful if labels[source, name]]
        return "", exclusions.columns("uncertain", msg("uncertain: {findings}", findings=names))
    if not used:
        reason = exclusions.no_class(", ".join(findings)) if any(findings) else msg("no finding is marked")
        return "", exclusions.columns("finding", reason)
    if len(used) > 1:
        names = [name for name in (*findings, *doubtful) if labels[source, name]]
        return "", exclusions.columns("several", msg("findings of several classes: {findings}", findings=names))
    return used.pop(), {}


def _findings(reading: Reading, labels: Mapping[tuple[str, str], str]) -> list[Finding]:
    """Return the findings with the numbers of listed images and patients, the most frequent first."""
    rows = reading.rows[~reading.rows["left_out"].isin(_NOT_COUNTED)]
    images: Counter[tuple[str, str]] = Counter()
    patients: dict[tuple[str, str], set[str]] = {}
    uncertain: Counter[tuple[str, str]] = Counter()
    # Lists: iterating over pandas' text columns takes several times as long.
    columns = (rows[name].tolist() for name in ("source", "finding", "uncertain", "patient", "path"))
    for source, finding, doubtful, patient, path in zip(*columns, strict=True):
        for name in names_of(finding, reading.several):
            images[source, name] += 1
            patients.setdefault((source, name), set()).add(patient or path)
        for name in names_of(doubtful):
            uncertain[source, name] += 1
    pairs = sorted({*images, *uncertain}, key=lambda pair: (pair[0], -images[pair], pair[1]))
    return [
        Finding(
            source,
            name,
            images[source, name],
            len(patients.get((source, name), ())),
            labels[source, name],
            uncertain[source, name],
        )
        for source, name in pairs
    ]


def _check_findings(findings: Iterable[Finding], named: Sequence[str]) -> None:
    """Raise `UserError` for a choice of a finding that no source has."""
    found = list(findings)
    known = {text.upper() for finding in found for text in (finding.name, f"{finding.source}/{finding.name}")}
    for name in named:
        if name.upper() not in known:
            raise UserError(
                "finding to map: expected one of {found}. Received: {name!r}",
                found=sorted({finding.name for finding in found})[:20],
                name=name,
            )
