"""The protocol lock: what a study file said before its outcomes were read, and every amendment since.

``medhome lock`` writes ``<study>.lock.json`` beside the study file. Each entry holds every choice of the
study, the digest of the file, the commit that holds it, and the latest month of service that the data had
then. The entries form a chain: each names the digest of the one before, so that an earlier one cannot be
changed alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from medhome.study.choices import OF_THE_PERIOD, changed_choices, flat_choices
from medhome.study.periods import month_index, month_name
from medhome.study.problems import StudyFileError
from medhome.study.spec import StudySpec

SCHEMA = "medhome/protocol-lock/1"
NAME = "study.lock.json"
"""The lock's name in a report's folder, beside ``study.toml``."""

When = Literal["before", "during", "after", "no data"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One locking of a study file.

    study_sha256: of the file's bytes. choices: every choice, flat. commit: that holds exactly this file, or
    None. latest_incurred: the latest month of service that the data had, None when no data were given.
    reason: why it was amended. previous: digest of the entry before. Both are empty for the first.
    """

    number: int
    study_sha256: str
    fingerprint: str
    choices: Mapping[str, Any]
    commit: str | None
    latest_incurred: str | None
    performance_first: str
    performance_last: str
    reason: str
    previous: str

    @property
    def when(self) -> When:
        """Whether the data went into the performance period when the file was locked."""
        if self.latest_incurred is None:
            return "no data"
        if month_index(self.latest_incurred) < month_index(self.performance_first):
            return "before"
        inside = month_index(self.latest_incurred) <= month_index(self.performance_last)
        return "during" if inside else "after"

    @property
    def digest(self) -> str:
        plain = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(plain.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Amendment:
    """What changed from one locked file to the next, or to the file that was run without a further lock.

    entry: the lock that holds it; None where it was never locked. changes: key → (before, after).
    """

    entry: Entry | None
    changes: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, kw_only=True)
class ProtocolLock:
    """Every locking of one study file, the first first."""

    entries: tuple[Entry, ...]

    @property
    def first(self) -> Entry:
        return self.entries[0]

    def amendments(self, spec: StudySpec) -> tuple[Amendment, ...]:
        """Every change since the first lock, up to the study as run; a new data period is none."""
        found = []
        for before, after in zip(self.entries, self.entries[1:], strict=False):
            found.append(Amendment(entry=after, changes=changed_choices(before.choices, after.choices)))
        since = changed_choices(self.entries[-1].choices, _as_json(flat_choices(spec)))
        unlocked = {key: values for key, values in since.items() if key not in OF_THE_PERIOD}
        if unlocked:
            found.append(Amendment(entry=None, changes=unlocked))
        return tuple(found)

    def to_plain(self) -> dict[str, Any]:
        return {"schema": SCHEMA, "entries": [{**asdict(e), "digest": e.digest} for e in self.entries]}


def lock_path(study: Path) -> Path:
    """Where the lock of a study file lies: ``study.toml`` → ``study.lock.json``."""
    return study.with_name(f"{study.stem}.lock.json")


def locked(
    spec: StudySpec,
    study_sha256: str,
    *,
    before: ProtocolLock | None,
    commit: str | None,
    latest_incurred: int | None,
    reason: str,
) -> ProtocolLock:
    """A study file's lock with one more entry.

    Raises `StudyFileError` when nothing changed since the last entry, or when an amendment has no reason.
    """
    choices = _as_json(flat_choices(spec))
    last = None if before is None else before.entries[-1]
    if last is not None:
        if last.study_sha256 == study_sha256:
            raise StudyFileError(
                f"the study file is locked as it is (entry {last.number}); nothing was written"
            )
        if not reason.strip():
            raise StudyFileError(
                "the study file changed since it was locked: an amendment needs --reason, which is printed"
            )
    performance = spec.periods.performance
    entry = Entry(
        number=1 if last is None else last.number + 1,
        study_sha256=study_sha256,
        fingerprint=spec.fingerprint,
        choices=choices,
        commit=commit,
        latest_incurred=None if latest_incurred is None else month_name(latest_incurred),
        performance_first=month_name(performance.first),
        performance_last=month_name(performance.last),
        reason=" ".join(reason.split()),
        previous="" if last is None else last.digest,
    )
    return ProtocolLock(entries=(*(() if before is None else before.entries), entry))


def read_lock(path: Path) -> ProtocolLock | None:
    """Read a lock; None where there is none.

    Raises `StudyFileError` when it was not written by ``medhome lock``, or changed since.
    """
    if not path.is_file():
        return None
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        digests = [item.pop("digest") for item in plain["entries"]]
        entries = tuple(Entry(**item) for item in plain["entries"])
        good = plain["schema"] == SCHEMA and bool(entries)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise StudyFileError(f"{path}: not a lock that medhome wrote ({error})") from None
    chain = ["", *digests[:-1]]
    whole = all(e.digest == d and e.previous == p for e, d, p in zip(entries, digests, chain, strict=True))
    if not good or not whole:
        raise StudyFileError(
            f"{path}: was changed after it was written: its entries are not those that their digests name; "
            "restore it from version control"
        )
    return ProtocolLock(entries=entries)


def _as_json(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Choices as they come back from a file: tuples are lists there."""
    return dict(json.loads(json.dumps(choices)))
