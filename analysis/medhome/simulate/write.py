"""Simulated tables as Parquet in the native schema: the same rows give the same bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from medhome.simulate import claims, codes
from medhome.simulate.claims import REPLACEMENT, VOID, MedicalLines, PharmacyLines
from medhome.simulate.members import Members, first_days, month_days
from medhome.simulate.providers import (
    SPECIALIST_SPECIALTIES,
    SPECIALTIES,
    Providers,
    organization_name,
    site_name,
)
from medhome.simulate.world import WorldSettings
from medhome.study.periods import month_index, month_start

PAYER, PLANS, DATA_SOURCE = "Simulated Health Plan", ("PPO", "HMO"), "simulated"
PROGRAM_ID = "PCMH"
_NO_DICTIONARY = {"claim_id", "allowed_amount", "paid_amount", "x_adjusts_claim_id"}
_STATUS = ("paid", "denied", "reversed")
_ADJUSTMENT = ("original", "void", "replacement")
_STATUS_OF_VERSION, _ADJUSTMENT_OF_VERSION = np.array([0, 1, 2, 0]), np.array([0, 0, 1, 2])
_SUFFIX = ("", "D", "V", "R")


def money(cents: np.ndarray) -> pa.Array:
    """Cents as decimal(18, 2) dollars."""
    words = np.empty((len(cents), 2), dtype="<i8")
    words[:, 0] = cents
    words[:, 1] = words[:, 0] >> 63
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(cents), [None, pa.py_buffer(words)])


def dates(days: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    """Days since 1970-01-01 as dates; null where ``missing``."""
    return pa.array(days.astype(np.int32), mask=missing).view(pa.date32())


def coded(index: np.ndarray, vocabulary: Iterable[str]) -> pa.Array:
    """Places in a vocabulary as text; null where negative.

    The words must differ: of a dictionary with repeated words pyarrow writes bytes that vary from run to run.
    """
    words = list(vocabulary)
    if len(set(words)) != len(words):
        raise ValueError(f"a word stands twice in the vocabulary {words[:10]}")
    return pa.DictionaryArray.from_arrays(
        pa.array(index.astype(np.int32), mask=index < 0), pa.array(words, type=pa.string())
    )


def constant(text: str, rows: int) -> pa.Array:
    return coded(np.zeros(rows, dtype=np.int32), [text])


def integers(values: np.ndarray) -> pa.Array:
    return pa.array(values.astype(np.int32))


class TableFile:
    """One Parquet file that appears under its name only when it is complete."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.parquet"
        self._part = folder / f".{name}.parquet.part"
        self._writer: pq.ParquetWriter | None = None
        self.rows = 0

    def write(self, table: pa.Table) -> None:
        """Append rows as one row group."""
        if self._writer is None:
            plain = pa.schema(
                [
                    (f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type)
                    for f in table.schema
                ]
            )
            self._writer = pq.ParquetWriter(
                self._part,
                table.schema,
                compression="zstd",
                compression_level=1,
                version="2.6",
                use_dictionary=[n for n in plain.names if n not in _NO_DICTIONARY],
                store_schema=False,
                store_decimal_as_integer=True,
                write_statistics=True,
            )
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        self.rows += table.num_rows

    def finish(self) -> None:
        if self._writer is None:
            raise ValueError(f"{self.path.name}: no rows were written")
        self._writer.close()
        os.replace(self._part, self.path)

    def abandon(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._part.unlink(missing_ok=True)


def person_ids(members: Members) -> list[str]:
    return [f"P{number:08d}" for number in range(members.first_person, members.first_person + members.count)]


def member_ids(members: Members) -> list[str]:
    return [f"M{number:08d}" for number in range(members.first_person, members.first_person + members.count)]


def _claim_ids(letter: str, chunk: int, claim: np.ndarray, version: np.ndarray) -> tuple[pa.Array, pa.Array]:
    """Ids of claims, and of the claim that a void or a replacement acts on (null for others)."""
    number = pa.array(10_000_000 * (chunk + 1) + claim.astype(np.int64)).cast(pa.string())
    base = pc.binary_join_element_wise(pa.scalar(letter), number, "")
    suffix = pa.array(_SUFFIX, type=pa.string()).take(pa.array(version.astype(np.int32)))
    own = pc.binary_join_element_wise(base, suffix, "")
    acts = pa.array((version == VOID) | (version == REPLACEMENT))
    return own, pc.if_else(acts, base, pa.scalar(None, pa.string()))


def medical_table(
    world: WorldSettings, providers: Providers, members: Members, lines: MedicalLines
) -> pa.Table:
    """Rows of medical_claim: the transactions paid by the cut."""
    keep = np.flatnonzero(lines.paid_day <= claims.paid_until(world))
    n = len(keep)

    def kept(name: str) -> np.ndarray:
        return getattr(lines, name)[keep]

    own, acts = _claim_ids("C", members.chunk, kept("claim"), kept("version"))
    stay, person, end = kept("stay"), kept("person"), kept("end_day")
    icd10 = end >= np.datetime64(codes.ICD10_FIRST_DAY).astype(np.int64)
    diagnoses = kept("diagnoses")
    edition = np.where(diagnoses >= 0, diagnoses + np.where(icd10, len(codes.DIAGNOSES), 0)[:, None], -1)
    forms = [codes.FORMS[k] for k in claims.FORM_NUMBERS]
    bill_type = np.array([_index(BILL_TYPES, f.bill_type) for f in forms])[kept("form")]
    place = np.array([_index(PLACES, f.place) for f in forms])[kept("form")]
    clinician, facility = kept("clinician"), kept("facility")
    columns: dict[str, pa.Array] = {
        "claim_id": own,
        "claim_line_number": integers(kept("line")),
        "claim_type": coded(kept("institutional").astype(np.int32), ["professional", "institutional"]),
        "person_id": coded(person, person_ids(members)),
        "member_id": coded(person, member_ids(members)),
        "payer": constant(PAYER, n),
        "plan": coded(members.employer[person] % len(PLANS), PLANS),
        "data_source": constant(DATA_SOURCE, n),
        "claim_start_date": dates(kept("start_day")),
        "claim_end_date": dates(end),
        "admission_date": dates(kept("start_day"), ~stay),
        "discharge_date": dates(end, ~stay),
        "bill_type_code": coded(bill_type, BILL_TYPES),
        "place_of_service_code": coded(place, PLACES),
        "revenue_center_code": coded(kept("revenue"), claims.REVENUE_VOCABULARY),
        "hcpcs_code": coded(kept("procedure"), codes.PROCEDURE_VOCABULARY),
        "drg_code_type": coded(np.where(stay, 0, -1), ["ms-drg"]),
        "drg_code": coded(kept("drg"), codes.DRG_VOCABULARY),
        "diagnosis_code_type": coded(icd10.astype(np.int32), ["icd-9-cm", "icd-10-cm"]),
        "diagnosis_code_1": coded(edition[:, 0], codes.DIAGNOSIS_VOCABULARY),
        "diagnosis_code_2": coded(edition[:, 1], codes.DIAGNOSIS_VOCABULARY),
        "rendering_npi": coded(clinician, providers.npi),
        "billing_npi": coded(np.where(clinician >= 0, clinician, facility), providers.npi),
        "facility_npi": coded(facility, providers.npi),
        "allowed_amount": money(kept("allowed_cents")),
        "paid_amount": money(kept("paid_cents")),
        "paid_date": dates(kept("paid_day")),
        "x_claim_status": coded(_STATUS_OF_VERSION[kept("version")], _STATUS),
        "x_adjustment_type": coded(_ADJUSTMENT_OF_VERSION[kept("version")], _ADJUSTMENT),
        "x_adjusts_claim_id": acts,
    }
    return pa.table(columns)


BILL_TYPES = ("111", "131")
PLACES = ("11", "21", "22", "81")


def _index(vocabulary: tuple[str, ...], code: str) -> int:
    return vocabulary.index(code) if code else -1


def pharmacy_table(
    world: WorldSettings, providers: Providers, members: Members, lines: PharmacyLines
) -> pa.Table:
    """Rows of pharmacy_claim: the transactions paid by the cut."""
    keep = np.flatnonzero(lines.paid_day <= claims.paid_until(world))
    n = len(keep)

    def kept(name: str) -> np.ndarray:
        return getattr(lines, name)[keep]

    own, acts = _claim_ids("D", members.chunk, kept("claim"), kept("version"))
    person = kept("person")
    supply = kept("days_supply")
    return pa.table(
        {
            "claim_id": own,
            "claim_line_number": integers(np.ones(n)),
            "data_source": constant(DATA_SOURCE, n),
            "person_id": coded(person, person_ids(members)),
            "member_id": coded(person, member_ids(members)),
            "payer": constant(PAYER, n),
            "plan": coded(members.employer[person] % len(PLANS), PLANS),
            "dispensing_date": dates(kept("day")),
            "ndc_code": coded(kept("ndc"), codes.NDC_VOCABULARY),
            "days_supply": integers(supply),
            "quantity": pa.array(supply.astype(np.float64)),
            "prescribing_provider_npi": coded(kept("prescriber"), providers.npi),
            "x_drug_class": coded(kept("drug_class"), codes.DRUG_CLASS_VOCABULARY),
            "allowed_amount": money(kept("allowed_cents")),
            "paid_amount": money(kept("paid_cents")),
            "paid_date": dates(kept("paid_day")),
            "x_claim_status": coded(_STATUS_OF_VERSION[kept("version")], _STATUS),
            "x_adjustment_type": coded(_ADJUSTMENT_OF_VERSION[kept("version")], _ADJUSTMENT),
            "x_adjusts_claim_id": acts,
        }
    )


def eligibility_table(world: WorldSettings, members: Members) -> pa.Table:
    """Rows of eligibility: one to three spans a person, some touching, some overlapping by a month."""
    days = month_days(world)
    person = np.arange(members.count)
    start, end = members.start_day, members.end_day
    gap = members.gap[:, 0] < len(days)
    first = days[np.minimum(members.gap[:, 0], len(days) - 1)]
    after = days[np.minimum(members.gap[:, 1], len(days) - 1)]
    # A renewal at a new year in the middle of the world: a second span that touches the first, or,
    # for one person in twenty, begins a month before the first ends.
    middle = (world.months.first + world.months.months // 2) // 12 * 12 - 1970 * 12
    renewal = int(first_days(np.array([middle]))[0])
    number = members.first_person + person
    renews = ~gap & (number % 5 == 0) & (start < renewal - 62) & (end > renewal + 31)
    early = renews & (number % 20 == 0)
    again = np.where(early, renewal - 31, renewal)
    spans = [
        (person, start, np.where(gap, first - 1, np.where(renews, renewal - 1, end))),
        (person[gap], after[gap], end[gap]),
        (person[renews], again[renews], end[renews]),
    ]
    who = np.concatenate([s[0] for s in spans])
    begin = np.concatenate([s[1] for s in spans])
    finish = np.concatenate([s[2] for s in spans])
    order = np.lexsort((begin, who))
    who, begin, finish = who[order], begin[order], finish[order]
    n = len(who)
    return pa.table(
        {
            "person_id": coded(who, person_ids(members)),
            "member_id": coded(who, member_ids(members)),
            "birth_date": dates(members.birth_day[who]),
            "gender": coded(members.female[who].astype(np.int32), ["male", "female"]),
            "enrollment_start_date": dates(begin),
            "enrollment_end_date": dates(finish, finish >= days[-1]),
            "payer": constant(PAYER, n),
            "payer_type": constant("commercial", n),
            "plan": coded(members.employer[who] % len(PLANS), PLANS),
            "data_source": constant(DATA_SOURCE, n),
            "death_date": dates(members.death_day[who], members.death_day[who] < 0),
            "group_id": coded(members.employer[who], [f"G{k + 1:03d}" for k in range(60)]),
            "x_medical_benefit": integers(np.ones(n)),
            "x_pharmacy_benefit": integers(np.ones(n)),
            "x_behavioral_benefit": integers(np.ones(n)),
            "x_capitated": integers(np.zeros(n)),
        }
    )


def provider_table(world: WorldSettings, providers: Providers) -> pa.Table:
    """Rows of provider_practice: primary-care clinicians at their sites, specialists in groups."""
    primary, specialists = providers.clinicians, providers.specialists
    sites = providers.clinician_site.tolist()
    organizations = providers.site_organization[providers.clinician_site].tolist()
    groups = [c % len(SPECIALIST_SPECIALTIES) for c in range(specialists)]
    group_ids = [f"SPEC{k + 1:04d}" for k in groups]
    begin = np.datetime64("2000-01-01").astype(object)
    rows = primary + specialists
    return pa.table(
        {
            "npi": pa.array(providers.npi[:rows]),
            "practice_id": pa.array([*map(site_name, sites), *group_ids]),
            "practice_name": pa.array(
                [*(f"Practice {s + 1}" for s in sites), *(f"Specialists {k + 1}" for k in groups)]
            ),
            "tin": pa.array(
                [*(f"99{j + 1:07d}" for j in organizations), *(f"98{k + 1:07d}" for k in groups)]
            ),
            "organization_id": pa.array([*map(organization_name, organizations), *group_ids]),
            "specialty": pa.array(
                [
                    *(SPECIALTIES[k] for k in providers.clinician_specialty.tolist()),
                    *(SPECIALIST_SPECIALTIES[k] for k in groups),
                ]
            ),
            "x_primary_care": integers(np.repeat([1, 0], [primary, specialists])),
            "effective_start_date": pa.array([begin] * rows, pa.date32()),
            "effective_end_date": pa.nulls(rows, pa.date32()),
        }
    )


def roster_table(world: WorldSettings, providers: Providers) -> pa.Table:
    """Rows of program_roster: every site, with its arm from the start of the program, or of its wave."""
    starts = [w.start for w in world.waves] or [world.start]
    rows = [
        {
            "program_id": PROGRAM_ID,
            "unit_type": "practice",
            "unit_id": site_name(s),
            "start_date": month_start(month_index(starts[max(wave, 0)])),
            "end_date": None,
            "arm": "program" if wave >= 0 else "comparison",
            "cohort": starts[max(wave, 0)],
        }
        for s, wave in enumerate(providers.site_wave.tolist())
    ]
    text = pa.string()
    return pa.Table.from_pylist(
        rows,
        schema=pa.schema(
            [
                ("program_id", text),
                ("unit_type", text),
                ("unit_id", text),
                ("start_date", pa.date32()),
                ("end_date", pa.date32()),
                ("arm", text),
                ("cohort", text),
            ]
        ),
    )
