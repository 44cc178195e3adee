"""What page one says of the protocol: when it was locked, and what was amended since."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from medhome.reporting.blocks import NOTHING, Block, paragraphs
from medhome.reporting.datatable import Column, DataTable
from medhome.study.display import count, month
from medhome.study.periods import month_index
from medhome.study.protocol import Amendment, Entry, ProtocolLock
from medhome.study.released import ReleasedRun

_WHEN = {
    "before": "before the performance period, which began in {first}: no outcome of it could be read",
    "during": "inside the performance period, {first} to {last}: its outcomes up to then could be read",
    "after": "after the performance period, {first} to {last}: all of its outcomes could be read",
}


def lock_in_words(lock: ProtocolLock | None, amendments: tuple[Amendment, ...]) -> list[str]:
    """When the study file was locked, with the data of what month, and how often it was amended since."""
    if lock is None:
        return [
            "The study file was not locked: nothing shows that its choices were made before outcomes of the "
            "performance period were read."
        ]
    return [locked_in_words(lock.first), _amended(amendments)]


def locked_in_words(entry: Entry) -> str:
    """What was locked by which commit, and whether outcomes of the performance period could be read then."""
    where = (
        f"at commit {entry.commit[:12]}"
        if entry.commit
        else f"with the digest {entry.study_sha256[:12]}; no commit held it"
    )
    first, last = (month(month_index(m)) for m in (entry.performance_first, entry.performance_last))
    if entry.latest_incurred is None:
        return (
            f"The study file was locked {where}. No data were named then, so the lock does not show which "
            "outcomes could have been read."
        )
    when = _WHEN[entry.when].format(first=first, last=last)
    latest = month(month_index(entry.latest_incurred))
    return (
        f"The study file was locked {where}, when the data held services through {latest}. That was {when}."
    )


def _amended(amendments: tuple[Amendment, ...]) -> str:
    if not amendments:
        return "It was not amended since."
    unlocked = sum(a.entry is None for a in amendments)
    times = "once" if len(amendments) == 1 else f"{count(len(amendments))} times"
    more = " The latest change was not locked." if unlocked else ""
    return f"It was amended {times} since.{more}"


def protocol_lock(report: ReleasedRun) -> Block:
    """When the study file was locked, before or after the performance period, and every amendment since."""
    amendments = () if report.protocol is None else report.protocol.amendments(report.spec)
    return paragraphs(lock_in_words(report.protocol, amendments)) + amendments_table(amendments)


def amendments_table(amendments: tuple[Amendment, ...]) -> Block:
    """Table: every amended key, before and after, with the data's latest month and the reason."""
    rows = [
        {
            "key": key,
            "before": _value(before),
            "after": _value(after),
            "latest": _latest(amendment.entry),
            "reason": "not locked" if amendment.entry is None else amendment.entry.reason,
        }
        for amendment in amendments
        for key, (before, after) in amendment.changes.items()
    ]
    if not rows:
        return NOTHING
    return DataTable(
        id="tab-amendments",
        caption="Amendments of the study file since it was locked",
        columns=(
            Column("key", "Key"),
            Column("before", "Before"),
            Column("after", "After"),
            Column("latest", "Data through, when amended"),
            Column("reason", "Reason"),
        ),
        frame=pd.DataFrame(rows),
    ).block()


def _latest(entry: Entry | None) -> str:
    if entry is None or entry.latest_incurred is None:
        return "not recorded"
    return f"{month(month_index(entry.latest_incurred))} ({entry.when} the performance period)"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
