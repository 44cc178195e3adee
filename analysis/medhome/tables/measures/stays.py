"""Claims of inpatient care → stays → episodes: which are one, which are transfers, which came back?

Few rows (claims of stays alone), in an order that matters, so they are decided in Python, one person after
the other, by the rules of ``docs/methods/measures.md``, stays and episodes.
"""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
from ibis import _
from ibis.expr.types import Table

from medhome.tables.engine import fetch
from medhome.tables.measures.lines import DIAGNOSIS, PROCEDURE, CodeLists

STILL_PATIENT, DIED, AGAINST_ADVICE = ("30",), ("20", "40", "41", "42"), ("07",)
TO_HOME = ("01", "06", "08", "")
"""Dispositions of a discharge home (or unknown)."""

KINDS = ("other", "maternity", "newborn")


def stay_claims(medical: Table, lists: CodeLists) -> pd.DataFrame:
    """The claims of acute inpatient care, one row each.

    Arguments
        medical: `lines.medical_lines`. lists: code lists; ``acute_hospital`` says which bill types count, and
            a claim without a bill type counts when it has an admission.

    ``person_id``, ``facility``, ``admit`` and ``discharge`` (day numbers), ``month``, ``drg``, ``system``,
    ``dx1``, ``disposition``, ``source`` (of admission), ``diagnoses`` and ``procedures`` (joined by blanks).
    """
    acute = [code for system, code in lists.get("acute_hospital", []) if system == "bill-type"]
    inpatient = medical.filter(
        _.category == "inpatient", _.bill_type_code.substr(0, 2).isin(acute) | _.bill_type_code.isnull()
    )
    many = {c: inpatient[c].max() for c in inpatient.columns if DIAGNOSIS.match(c) or PROCEDURE.match(c)}
    claims = inpatient.group_by("claim_id", "data_source", "person_id").aggregate(
        admit=_.day.min(),
        discharge=_.until.max(),
        month=_.month.min(),
        facility=_.facility_npi.max(),
        drg=_.drg_code.max(),
        system=_.system.max(),
        disposition=_.discharge_disposition_code.max(),
        source=_.admit_source_code.max(),
        **many,
    )
    found = fetch(claims.order_by("person_id", "admit", "discharge", "claim_id"))
    text = [c for c in found.columns if c not in ("admit", "discharge", "month")]
    found[text] = found[text].astype("str").fillna("")
    dx = sorted((c for c in many if DIAGNOSIS.match(c)), key=_number)
    px = sorted((c for c in many if PROCEDURE.match(c)), key=_number)
    found["dx1"] = found.get("diagnosis_code_1", "")
    found["diagnoses"] = _joined(found, dx)
    found["procedures"] = _joined(found, px)
    found["discharge"] = np.maximum(found["discharge"], found["admit"])
    return found.drop(columns=[*dx, *px, "claim_id", "data_source"])


def stays(claims: pd.DataFrame) -> pd.DataFrame:
    """Claims of one stay made one: interim bills, and a same-day return for the same condition.

    Arguments
        claims: rows as `stay_claims` gives them, in any order.

    Claims of a person at one facility belong together when they overlap, when one begins on the day on which
    the other ends or the day after and that one says "still a patient", or when one begins on the day on
    which the other ends with a principal diagnosis of the same category (first three characters). A stay
    has the first claim's diagnosis and source and the last claim's disposition; columns are those given.
    """
    order = claims.sort_values(["person_id", "admit", "discharge", "facility", "dx1"], kind="stable")
    found: list[dict] = []
    for row in plain_rows(order):
        open_stay = next(
            (s for s in reversed(found[-3:]) if s["person_id"] == row["person_id"] and _same_stay(s, row)),
            None,
        )
        if open_stay is None:
            found.append(dict(row))
            continue
        if row["discharge"] >= open_stay["discharge"]:
            open_stay["disposition"] = row["disposition"] or open_stay["disposition"]
            open_stay["discharge"] = row["discharge"]
        open_stay["drg"] = open_stay["drg"] or row["drg"]
        for many in ("diagnoses", "procedures"):
            open_stay[many] = f"{open_stay[many]} {row[many]}".strip()
    return pd.DataFrame(found, columns=list(claims.columns))


def episodes(stays: pd.DataFrame, lists: CodeLists) -> pd.DataFrame:
    """Stays joined by transfer: one row per episode of hospital care, in the order of person and admission.

    A stay that begins at another facility on the day of the discharge or the day after, or before it, is a
    transfer (where a facility is unknown: on the day of the discharge). An episode has the first stay's
    admission, diagnosis, procedures and group, and the last stay's discharge and disposition; ``transfer_in``
    says that its first stay came from another facility; ``kind`` is one of `KINDS`, by the first stay.
    """
    order = stays.sort_values(["person_id", "admit", "discharge"], kind="stable")
    found: list[dict] = []
    for row in plain_rows(order):
        last = found[-1] if found else None
        if last is not None and last["person_id"] == row["person_id"] and _transferred(last, row):
            if row["discharge"] >= last["discharge"]:
                last["discharge"], last["disposition"] = row["discharge"], row["disposition"]
                last["last_facility"] = row["facility"]
            last["procedures"] = f"{last['procedures']} {row['procedures']}".strip()
            continue
        found.append({**row, "last_facility": row["facility"]})
    frame = pd.DataFrame(found, columns=[*stays.columns, "last_facility"])
    sources = {code for system, code in lists.get("transfer_in", []) if system == "admit-source"}
    frame["transfer_in"] = frame["source"].isin(sources)
    frame["kind"] = [_kind(row, lists) for row in plain_rows(frame)]
    return frame


def _same_stay(stay: dict, row: dict) -> bool:
    if stay["facility"] != row["facility"]:
        return False
    if row["admit"] < stay["discharge"] or (row["admit"], row["discharge"]) == (
        stay["admit"],
        stay["discharge"],
    ):
        return True
    if row["admit"] - stay["discharge"] in (0, 1) and stay["disposition"] in STILL_PATIENT:
        return True
    return bool(row["admit"] == stay["discharge"] and row["dx1"][:3] == stay["dx1"][:3])


def _transferred(last: dict, row: dict) -> bool:
    gap = row["admit"] - last["discharge"]
    if gap < 0:
        return True
    known = last["last_facility"] != "" and row["facility"] != ""
    if not known:
        return bool(gap == 0)
    return bool(gap <= 1 and last["last_facility"] != row["facility"])


def _kind(row: dict, lists: CodeLists) -> str:
    for kind in ("newborn", "maternity"):
        codes = lists.get(kind, [])
        if row["drg"]:
            if ("drg", row["drg"]) in codes:
                return kind
        elif row["dx1"] and any(row["system"] == s and row["dx1"].startswith(c) for s, c in codes):
            return kind
    return "other"


def readmitted(
    found: pd.DataFrame, deaths: dict[str, int], last_day: int, within: int, planned: np.ndarray
) -> pd.DataFrame:
    """Index discharges and whether each came back unplanned: one row per index episode, with its row number.

    Arguments
        found: `episodes`. deaths: person → day number of death. last_day: last day that claims reach.
        within: days after the discharge in which a stay counts. planned: (n,) true for planned stays.

    No index: maternity and newborn stays, deaths in hospital, discharges against advice, discharges so late
    that claims end within the days. Only the first stay within the days counts, and not when it is planned
    or for a birth. ``index`` (row of ``found``), ``readmitted`` (0 or 1), ``days`` (to the next stay; -1
    none).
    """
    records = plain_rows(found[["person_id", "admit", "discharge", "disposition", "kind"]])
    rows = []
    for i, row in enumerate(records):
        death = deaths.get(row["person_id"])
        dead = row["disposition"] in DIED or (death is not None and death <= row["discharge"])
        if row["kind"] != "other" or dead or row["disposition"] in AGAINST_ADVICE:
            continue
        if row["discharge"] + within > last_day:
            continue
        later = i + 1
        back, days = 0, -1
        if later < len(records) and records[later]["person_id"] == row["person_id"]:
            gap = int(records[later]["admit"] - row["discharge"])
            if 0 <= gap <= within:
                days = gap
                back = int(records[later]["kind"] == "other" and not planned[later])
        rows.append((i, back, days))
    return pd.DataFrame(rows, columns=["index", "readmitted", "days"])


def plain_rows(frame: pd.DataFrame) -> list[dict]:
    """The rows of a frame as dictionaries: many times quicker than pandas' own where columns are text."""
    columns = [in_python(frame[name]) for name in frame.columns]
    return [dict(zip(frame.columns, values, strict=True)) for values in zip(*columns, strict=True)]


def in_python(values: pd.Series) -> list:
    """The values of a column as Python's own, by way of Arrow: pandas hands text over one by one."""
    found: list = pa.array(values, from_pandas=True).to_pylist()
    return found


def _joined(frame: pd.DataFrame, columns: list[str]) -> list[str]:
    if not columns:
        return [""] * len(frame)
    values = [in_python(frame[name]) for name in columns]
    return [" ".join(code for code in row if code) for row in zip(*values, strict=True)]


def _number(column: str) -> int:
    return int(column.rsplit("_", 1)[1])


def as_table(frame: pd.DataFrame, schema: dict[str, str]) -> Table:
    """A small frame as a table of the engine, with these columns."""
    return ibis.memtable(frame[list(schema)], schema=schema)
