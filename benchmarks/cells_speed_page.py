"""The page that `benchmarks.cells_speed` writes, from what it measured."""

from __future__ import annotations

import datetime as dt
import math
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from medhome.study.provenance import package_versions

PEERS = ("pyfixest", "linearmodels")
TARGET_PEER, TARGET_SCAN, TARGET_MB, TARGET_MORE, TARGET_DIGITS = 12, 8, 1000, 10, 10

Size = Mapping[str, Any]


def page(sizes: Sequence[Size], *, repeats: int, largest_for_peers: int) -> str:
    """The result as a page of Markdown, one column for each size."""
    rows: list[tuple[str, Callable[[Size], str]]] = [
        ("rows", lambda s: f"{s['cells']['rows']:,}"),
        ("cells", lambda s: f"{s['cells']['cells']:,}"),
        ("size of the files, MB", lambda s: f"{s['bytes'] / 1e6:,.0f}"),
        ("bare scan-and-sum of the columns, s", lambda s: f"{s['scan']['seconds']:.2f}"),
        ("**exact whole numbers: files to cells to regression, s**", lambda s: f"**{_ours(s):.2f}**"),
        ("– of it the collapse, s", lambda s: f"{s['cells']['collapse_seconds']:.2f}"),
        ("doubles: the same sums by SQL alone, s", lambda s: f"{s['doubles']['seconds']:.2f}"),
        ("whole numbers over scan", lambda s: f"**{_ratio(s, 'cells', 'seconds'):.1f}**"),
        ("doubles over scan", lambda s: f"{_ratio(s, 'doubles', 'seconds'):.1f}"),
        ("whole numbers over scan, processor time", lambda s: f"{_ratio(s, 'cells', 'cpu_seconds'):.1f}"),
        ("doubles over scan, processor time", lambda s: f"{_ratio(s, 'doubles', 'cpu_seconds'):.1f}"),
        ("peak memory of our process, MB", lambda s: f"**{s['cells']['peak_mb']:.0f}**"),
        ("event study, s (coefficients)", lambda s: _with(s, "event_seconds", "event_terms")),
        ("subgroups, s (fitted)", lambda s: _with(s, "subgroup_seconds", "subgroups")),
        ("bootstrap of the event study, s (draws)", lambda s: _with(s, "bootstrap_seconds", "draws")),
        ("**these three together, s**", lambda s: f"**{_more(s):.2f}**"),
    ]
    for peer in PEERS:
        rows += [
            (f"{peer}, s", _if_run(peer, lambda s, p: f"{s[p]['seconds']:.1f}")),
            (f"**{peer} over ours**", _if_run(peer, lambda s, p: f"**{s[p]['seconds'] / _ours(s):.1f}**")),
            (f"{peer} over ours, processor time", _if_run(peer, _peer_cpu)),
            (f"{peer}: peak memory, MB", _if_run(peer, lambda s, p: f"{s[p]['peak_mb']:,.0f}")),
            (f"{peer}: digits that agree, estimate and error", _if_run(peer, _digits)),
        ]
    rows.append(("load of the machine before (1 minute)", lambda s: f"{s['load']:.1f}"))
    head = " | ".join(f"{s['members']:,} members" for s in sizes)
    table = "\n".join(f"| {label} | {' | '.join(show(s) for s in sizes)} |" for label, show in rows)
    targets = "\n".join(line for s in sizes for line in _targets(s))
    peers = "; peers: pyfixest 0.60.0, linearmodels 7.1" if any("pyfixest" in s for s in sizes) else ""
    versions = ", ".join(f"{k} {v}" for k, v in package_versions().items()) + peers
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
    members = " ".join(str(s["members"]) for s in sizes)
    return f"""# A hundred million rows: cells beside packages that hold the rows

Command: `python -m benchmarks.cells_speed --members {members} --repeats {repeats} --peers PEERS/bin/python`

`cost ~ treat + age + risk + female | practice + month`, clustered by practice, from Parquet to estimate and
error.

| quantity | {head} |
|---|{"---|" * len(sizes)}
{table}

Targets:

{targets}

Every piece of work is a process of its own with two threads, all in one run; of the scan, of ours and of the
doubles the quickest of {repeats}, of the peers one run after a warm-up that compiles them. Imports are not in
the seconds, reading the files is. Peers hold the rows in memory and are not run above {largest_for_peers:,}
rows. The error of linearmodels is compared after its factor (none, without debiasing) is replaced by the
named rule. Doubles are shown to tell the price of exactness: their sums change in the last digits with the
number of threads and are not offered. Subgroups are 40 areas of practices. A draw counts when every
coefficient can be told in it. Rows are in the order of members, as in claims, so that the members' columns
compress well and the bare scan is quick. The machine was shared with other work: the load tells how many
processes competed for the cores; ratios of processor time depend on it less than those of seconds.

Machine: {machine}, Python {platform.python_version()}; {versions}.
Date: {dt.date.today().isoformat()}.
"""


def _targets(s: Size) -> list[str]:
    """One line for each target that this size can meet."""
    ratio, rows = _ratio(s, "cells", "seconds"), f"{s['cells']['rows']:,} rows"
    memory = s["cells"]["peak_mb"]
    lines = [
        f"- {rows}: at most {TARGET_SCAN} bare scans: {ratio:.1f}, {_met(ratio <= TARGET_SCAN)}; below "
        f"{TARGET_MB:,} MB: {memory:.0f}, {_met(memory < TARGET_MB)}; event study, subgroups and draws "
        f"within {TARGET_MORE} s: {_more(s):.1f}, {_met(_more(s) <= TARGET_MORE)}."
    ]
    if "pyfixest" in s:
        over = s["pyfixest"]["seconds"] / _ours(s)
        same = min(_agreeing(s, "pyfixest"))
        lines.append(
            f"- {rows}: pyfixest takes at least {TARGET_PEER} times as long: {over:.1f}, "
            f"{_met(over >= TARGET_PEER)}; estimate and error to {TARGET_DIGITS} digits: {same:.1f}, "
            f"{_met(same >= TARGET_DIGITS)}."
        )
    return lines


def _ours(s: Size) -> float:
    return s["cells"]["seconds"]


def _ratio(s: Size, work: str, what: str) -> float:
    return s[work][what] / s["scan"][what]


def _more(s: Size) -> float:
    return sum(s["cells"][f"{k}_seconds"] for k in ("event", "subgroup", "bootstrap"))


def _with(s: Size, seconds: str, count: str) -> str:
    return f"{s['cells'][seconds]:.2f} ({s['cells'][count]:,})"


def _if_run(peer: str, show: Callable[[Size, str], str]) -> Callable[[Size], str]:
    return lambda s: show(s, peer) if peer in s else "not run"


def _peer_cpu(s: Size, peer: str) -> str:
    return f"{s[peer]['cpu_seconds'] / s['cells']['cpu_seconds']:.1f}"


def _agreeing(s: Size, peer: str) -> tuple[float, float]:
    ours, theirs = s["cells"], s[peer]
    return _same(ours["estimate"], theirs["estimate"]), _same(ours["se"], theirs["se"])


def _digits(s: Size, peer: str) -> str:
    return ", ".join(f"{d:.1f}" for d in _agreeing(s, peer))


def _same(ours: float, theirs: float) -> float:
    """Decimal digits in which two numbers agree, at most 16."""
    return 16.0 if ours == theirs else min(16.0, -math.log10(abs(ours - theirs) / abs(theirs)))


def _met(yes: bool) -> str:
    return "met" if yes else "not met"
