"""Run the cases and hold each number against its golden value."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from medhome.study.problems import StudyFileError
from medhome.study.progress import Progress, silent
from medhome.study.validation_results import DIGITS, ValidationResult
from medhome.validation.tables import DEFINITIONS, Tables

CASES = {
    "staggered_cases": (
        "cs_mpdta_nev_nocov cs_mpdta_nyt_nocov cs_mpdta_nev_lpop_dr cs_mpdta_nev_lpop_reg "
        "cs_mpdta_nev_lpop_ipw cs_mpdta_nyt_lpop_dr cs_mpdta_nev_lpop_dr_univ cs_mpdta_nev_lpop_dr_antic1 "
        "cs_mpdta_rc_lpop_dr cs_mpdta_cluster_state cs_mpdta_supt"
    ),
    "wave_cases": (
        "sunab_mpdta sunab_base_stagg bjs_mpdta did2s_mpdta etwfe_mpdta etwfe_mpdta_poisson bjs_base_stagg "
        "bjs_did2s_df_het bacon_math"
    ),
    "regression_cases": (
        "twfe_base_did es_base_did twfe_base_stagg trade_ols trade_ppml petersen ezunem bdm_cps "
        "cr2_mortality cr2_mpdta wcb_voters"
    ),
    "two_period_cases": (
        "drdid_nsw drdid_simrc kielmc_2x2 card_krueger prop99_sdid ebal_nsw power_closed_form"
    ),
    "bounds_cases": "honest_ehec_es honest_ehec honest_BC",
    "organization_cases": "few_organizations raa_triangle",
    "payment_cases": "mssp_2018 commercial_settlement",
}
"""The module of this package that holds each entry's case, a function named after the entry."""

Numbers = dict[str, float]
Case = Callable[[Tables], Numbers]


def run(data: Path, *, only: Iterable[str] | None = None, progress: Progress = silent) -> ValidationResult:
    """Every golden value, ours beside it, and how many digits agree.

    data: folder with the public tables (or their parent; `Tables`). only: ids of entries; all when left out.

    Raises `DataProblem` when the folder is not there, `StudyFileError` for an id that does not exist. An
    entry whose tables are absent is one row that says where they come from.
    """
    tables = Tables(data)
    entries, golden = read_entries(), read_golden()
    if only is not None:
        chosen = list(only)
        unknown = sorted(set(chosen) - set(entries["id"]))
        if unknown:
            known = ", ".join(entries["id"])
            raise StudyFileError(f"no golden entry is called {unknown[0]!r}; entries are {known}")
        entries = entries[entries["id"].isin(chosen)]
    rows: list[dict[str, object]] = []
    for entry in entries.to_dict("records"):
        progress(entry["id"], 0, 0)
        common = {"id": entry["id"], "section": entry["section"], "estimator": entry["estimator"]}
        own = golden[golden["id"] == entry["id"]]
        absent = tables.lacks(entry["data"])
        if absent and not entry["not_repeatable"]:
            rows.append(common | _nothing("data absent", f"{', '.join(absent)} not there: {entry['origin']}"))
            continue
        ours = {} if entry["not_repeatable"] else case(entry["id"])(tables)
        for value in own.to_dict("records"):
            if entry["not_repeatable"]:
                value = value | {"measure": "not repeatable", "note": entry["not_repeatable"]}
            rows.append(common | compare(value, ours))
    return ValidationResult(
        frame=pd.DataFrame(rows), entries=entries.reset_index(drop=True), departures=read_departures()
    )


def compare(value: dict, ours: Numbers) -> dict[str, object]:
    """One golden value against our numbers by quantity.

    >>> found = compare({"quantity": "se", "value": 2.0, "tolerance": 1e-6, "measure": "relative",
    ...                  "note": ""}, {"se": 2.000002})
    >>> found["verdict"], round(found["digits"], 3)
    ('within', 6.0)
    """
    golden, mine = float(value["value"]), float(ours.get(value["quantity"], math.nan))
    off = abs(mine - golden)
    allowed = value["tolerance"] * (abs(golden) if value["measure"] == "relative" else 1.0)
    if value["measure"] in ("departure", "not repeatable"):
        verdict = value["measure"]
    else:
        verdict = "within" if off <= allowed * (1 + 1e-12) else "outside"  # NaN is outside
    return {
        "quantity": value["quantity"],
        "golden": golden,
        "ours": mine,
        "digits": _digits(golden, off),
        "tolerance": float(value["tolerance"]),
        "measure": value["measure"],
        "verdict": verdict,
        "note": value["note"],
    }


def _digits(golden: float, off: float) -> float:
    if math.isnan(off):
        return math.nan
    relative = off / abs(golden) if golden else off
    return min(DIGITS, max(0.0, -math.log10(relative))) if relative > 0 else DIGITS


def _nothing(verdict: str, note: str) -> dict[str, object]:
    numbers = dict.fromkeys(("golden", "ours", "digits", "tolerance"), math.nan)
    return {"quantity": "", **numbers, "measure": "", "verdict": verdict, "note": note}


def case(entry: str) -> Case:
    """The function that computes an entry's numbers."""
    for module, names in CASES.items():
        if entry in names.split():
            return getattr(importlib.import_module(f"medhome.validation.{module}"), entry)
    raise KeyError(f"no case computes the golden entry {entry!r}")


def read_entries() -> pd.DataFrame:
    """What each entry is: id, section, estimator, specification, data, origin, reference, not_repeatable."""
    return pd.read_csv(DEFINITIONS / "entries.csv", dtype=str, keep_default_na=False)


def read_golden() -> pd.DataFrame:
    """The golden values: id, quantity, value, tolerance, measure, note."""
    frame = pd.read_csv(DEFINITIONS / "golden.csv", dtype=str, keep_default_na=False)
    return frame.assign(value=frame["value"].astype(float), tolerance=frame["tolerance"].astype(float))


def read_departures() -> pd.DataFrame:
    """Where we differ from a reference on purpose: subject, reference_gives, ours, register."""
    return pd.read_csv(DEFINITIONS / "departures.csv", dtype=str, keep_default_na=False)
