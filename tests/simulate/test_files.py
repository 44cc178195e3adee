"""The files of a simulated world: same bytes, keys, dates, codes and counts."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import medhome
from medhome.simulate import WORLDS, simulate_world, study_toml
from medhome.simulate.codes import NDC_VOCABULARY
from medhome.simulate.providers import build_providers, comparison_sizes
from medhome.study.problems import StudyFileError
from medhome.study.spec import read_study
from medhome.study.survey_choices import Surveys

CUT = pd.Timestamp("2010-06-30")


def digests(folder: Path) -> dict[str, str]:
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.iterdir())}


def test_same_settings_same_bytes_whatever_the_threads_and_the_hash_seed(small, tmp_path):
    simulate_world(WORLDS["small"], tmp_path / "one", workers=1)
    code = (
        "from pathlib import Path; from medhome.simulate import WORLDS, simulate_world; import sys; "
        "simulate_world(WORLDS['small'], Path(sys.argv[1]), workers=3)"
    )
    root = str(Path(medhome.__file__).parents[1])
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "two")],
        check=True,
        env=os.environ | {"PYTHONHASHSEED": "4321", "PYTHONPATH": root, "TZ": "Asia/Tokyo"},
    )
    expected = digests(small.folder)
    assert len(expected) == 9
    assert digests(tmp_path / "one") == expected
    assert digests(tmp_path / "two") == expected


def test_another_seed_gives_other_claims(small, tmp_path):
    simulate_world(WORLDS["small"].with_seed(5), tmp_path)
    assert digests(tmp_path)["medical_claim.parquet"] != digests(small.folder)["medical_claim.parquet"]


def test_no_temporary_files_and_no_notes_of_the_writer_remain(small):
    assert not [f.name for f in small.folder.iterdir() if f.name.startswith(".")]
    for name in ("medical_claim", "eligibility"):
        assert pq.read_metadata(small.folder / f"{name}.parquet").metadata is None


def test_a_run_that_fails_leaves_earlier_files(small, tmp_path, monkeypatch):
    simulate_world(WORLDS["small"], tmp_path)
    before = digests(tmp_path)

    def broken(*_):
        raise RuntimeError("no more room")

    monkeypatch.setattr("medhome.simulate.write.pharmacy_table", broken)
    with pytest.raises(RuntimeError, match="no more room"):
        simulate_world(WORLDS["small"].with_seed(9), tmp_path)
    assert digests(tmp_path) == before


def test_keys_are_unique(small):
    for table, key in {
        "medical_claim": ["claim_id", "claim_line_number", "data_source"],
        "pharmacy_claim": ["claim_id", "claim_line_number", "data_source"],
        "provider_practice": ["npi", "practice_id", "effective_start_date"],
        "program_roster": ["program_id", "unit_type", "unit_id", "start_date"],
        "survey": ["person_id", "survey_date", "instrument", "item_id"],
        "eligibility": ["person_id", "member_id", "enrollment_start_date", "payer", "plan"],
    }.items():
        frame = small.frame(table)
        assert len(frame) > 0
        assert not frame.duplicated(key).any(), table


def test_required_columns_are_filled(small):
    empty = small.frame("medical_claim").isna().sum()
    optional = {
        "admission_date",
        "discharge_date",
        "bill_type_code",
        "place_of_service_code",
        "revenue_center_code",
        "hcpcs_code",
        "drg_code_type",
        "drg_code",
        "diagnosis_code_2",
        "rendering_npi",
        "facility_npi",
        "x_adjusts_claim_id",
    }
    assert set(empty[empty > 0].index) == optional


def test_spans_are_never_negative_and_some_touch_some_overlap_some_leave_gaps(small):
    spans = small.frame("eligibility").sort_values(["person_id", "enrollment_start_date"])
    end = spans.enrollment_end_date.fillna(pd.Timestamp("2100-01-01"))
    assert (end >= spans.enrollment_start_date).all()
    assert (spans.enrollment_start_date >= spans.birth_date).all()
    died = spans.death_date.notna()
    assert died.any() and (spans.enrollment_end_date[died] <= spans.death_date[died]).all()
    before = end.shift()
    same = spans.person_id == spans.person_id.shift()
    distance = (spans.enrollment_start_date - before).dt.days[same]
    assert (distance == 1).any() and (distance < 1).any() and (distance > 28).any()
    assert (spans.enrollment_start_date == spans.birth_date).any()  # newborns
    age_at_end = (end.where(spans.enrollment_end_date.notna()) - spans.birth_date).dt.days / 365.25
    assert age_at_end.max() <= 65.0


def test_churn_is_one_to_one_and_a_half_per_cent_a_month(small):
    spans = small.frame("eligibility")
    last = spans.enrollment_end_date.fillna(pd.Timestamp("2100-01-01")).groupby(spans.person_id).max()
    first = spans.groupby("person_id").enrollment_start_date.min()
    months = pd.date_range("2005-07-01", "2010-03-01", freq="MS")
    leaves = sum(((last >= m) & (last < m + pd.offsets.MonthBegin(1))).sum() for m in months)
    there = sum(((first <= m) & (last >= m)).sum() for m in months)
    assert 0.010 < leaves / there < 0.015


def test_files_hold_what_was_paid_by_the_cut_and_lack_the_tail(small):
    claims = small.frame("medical_claim")
    assert claims.paid_date.max() <= CUT
    assert (claims.paid_date >= claims.claim_end_date).all()
    original = claims[(claims.x_adjustment_type == "original") & (claims.claim_start_date < "2009-01-01")]
    lag = (original.paid_date - original.claim_end_date).dt.days
    assert 0.52 < (lag <= 30).mean() < 0.72
    assert 0.94 < (lag <= 91).mean() < 0.99
    # Last months lack the claims that are paid after the cut.
    late = claims[(claims.claim_start_date >= "2010-03-01") & (claims.x_adjustment_type == "original")]
    assert (late.paid_date - late.claim_end_date).dt.days.max() <= 121
    assert lag.max() > 200


def test_codes_change_edition_by_date_of_discharge(small, tmp_path):
    assert set(small.frame("medical_claim").diagnosis_code_type) == {"icd-9-cm"}
    later = replace(
        WORLDS["small"], first_month="2013-06", start="2016-06", last_month="2017-03", paid_through="2017-06"
    )
    simulate_world(later, tmp_path)
    claims = pq.read_table(tmp_path / "medical_claim.parquet").to_pandas(date_as_object=False)
    new = claims.claim_end_date >= pd.Timestamp("2015-10-01")
    assert (claims.diagnosis_code_type == np.where(new, "icd-10-cm", "icd-9-cm")).all()
    across = claims[(claims.claim_start_date < "2015-10-01") & new]
    assert (across.diagnosis_code_type == "icd-10-cm").all()
    assert {"25000", "4019", "49390"} <= set(claims.diagnosis_code_1[~new])
    assert {"E119", "I10", "J45909"} <= set(claims.diagnosis_code_1[new])
    assert not set(claims.diagnosis_code_1[new]) & {"25000", "4019", "49390"}


def test_voids_take_back_their_originals_and_are_replaced(small):
    for table, date in (("medical_claim", "claim_start_date"), ("pharmacy_claim", "dispensing_date")):
        claims = small.frame(table).set_index(["claim_id", "claim_line_number"])
        voids = claims[claims.x_adjustment_type == "void"]
        assert 0.01 < len(voids) / len(claims) < 0.02
        assert (voids.x_claim_status == "reversed").all()
        originals = claims.loc[
            pd.MultiIndex.from_arrays([voids.x_adjusts_claim_id, voids.index.get_level_values(1)])
        ]
        assert (originals.allowed_cents.to_numpy() == -voids.allowed_cents.to_numpy()).all()
        assert (originals.paid_cents.to_numpy() == -voids.paid_cents.to_numpy()).all()
        assert (originals[date].to_numpy() == voids[date].to_numpy()).all()
        assert (originals.paid_date.to_numpy() < voids.paid_date.to_numpy()).all()
        replaced = claims[claims.x_adjustment_type == "replacement"]
        assert set(replaced.x_adjusts_claim_id) == set(voids.x_adjusts_claim_id)
        assert (claims.paid_cents.abs() <= claims.allowed_cents.abs()).all()


def test_denied_lines_are_paid_nothing_though_some_show_an_allowed_amount(small):
    claims = small.frame("medical_claim")
    denied = claims[claims.x_claim_status == "denied"]
    assert 0.03 < len(denied) / len(claims) < 0.05
    assert (denied.paid_cents == 0).all()
    assert 0.2 < (denied.allowed_cents > 0).mean() < 0.45


def test_the_member_pays_about_a_sixth(small):
    for table in ("medical_claim", "pharmacy_claim"):
        claims = small.frame(table)
        counted = claims[claims.x_claim_status != "denied"]
        assert 0.12 < 1 - counted.paid_cents.sum() / counted.allowed_cents.sum() < 0.19


def test_stays_emergencies_and_fills_are_billed_as_such(small):
    claims = small.frame("medical_claim")
    stays = claims[claims.bill_type_code == "111"]
    assert stays.drg_code.str.fullmatch(r"\d{3}").all()
    assert (stays.admission_date == stays.claim_start_date).all()
    assert (stays.discharge_date == stays.claim_end_date).all()
    assert (stays.discharge_date >= stays.admission_date).all()
    assert claims.drg_code[claims.bill_type_code != "111"].isna().all()
    emergency = claims[claims.revenue_center_code == "0450"]
    assert set(emergency.hcpcs_code) <= {"99282", "99283", "99284"} and len(emergency) > 100
    fills = small.frame("pharmacy_claim")
    assert fills.ndc_code.str.fullmatch(r"\d{11}").all()
    assert len(set(NDC_VOCABULARY)) == len(NDC_VOCABULARY)
    assert set(fills.days_supply[fills.x_drug_class == "statin"]) == {30, 90}
    assert {"antidiabetic", "statin", "antibiotic"} <= set(fills.x_drug_class)


def test_a_few_lines_lie_outside_enrolment(small):
    claims = small.frame("medical_claim")
    spans = small.frame("eligibility")
    last = spans.enrollment_end_date.fillna(pd.Timestamp("2100-01-01")).groupby(spans.person_id).max()
    orphan = claims.claim_start_date > claims.person_id.map(last)
    assert 0.0015 < orphan.mean() < 0.0025


def test_provider_numbers_have_a_right_check_digit(small):
    numbers = small.frame("provider_practice").npi
    assert numbers.is_unique and numbers.str.fullmatch(r"1\d{9}").all()
    for number in numbers.head(200):
        digits = [int(d) for d in reversed("80840" + number)]
        total = sum(digits[::2]) + sum(sum(divmod(2 * d, 10)) for d in digits[1::2])
        assert total % 10 == 0


def test_the_program_has_391_clinicians_at_25_sites_and_the_market_its_sizes():
    providers = build_providers(WORLDS["demo"])
    at_program = providers.site_program[providers.clinician_site]
    assert at_program.sum() == 391
    assert providers.site_program.sum() == 25
    assert len(np.unique(providers.clinician_site[at_program])) == 25
    assert set(providers.clinician_specialty[at_program]) == {0, 1, 2}
    sizes = comparison_sizes(WORLDS["demo"])
    assert len(sizes) == 42 and sizes.min() >= 300 and 12_000 < sizes.max() <= 15_000
    assert abs(int(sizes.sum()) - WORLDS["demo"].comparison_members) <= 42


def test_roster_names_every_practice_once(small):
    roster = small.frame("program_roster").set_index("unit_id").arm
    primary = small.frame("provider_practice").query("x_primary_care == 1")
    assert set(roster.index) == set(primary.practice_id)
    assert (roster == "program").sum() == 3
    treated = primary[primary.practice_id.map(roster) == "program"]
    assert treated.organization_id.unique().tolist() == ["ORG001"]
    assert len(treated) == WORLDS["small"].program_clinicians


def test_care_managers_contact_the_high_risk_members_of_the_program_after_the_start(small):
    events = small.frame("care_management")
    roster = small.frame("program_roster").set_index("unit_id").arm
    assert set(events.practice_id.map(roster)) == {"program"}
    assert events.event_date.min() >= pd.Timestamp("2008-06-01")
    listed = events[events.event_type == "identified"].person_id
    assert listed.is_unique
    panel = small.truth.counts["cohort_members"]["treated"]
    assert 0.02 * panel < len(listed) < 0.06 * panel
    steps = events.event_type.value_counts()
    assert steps["identified"] >= steps["outreach"] >= steps["reached"] >= steps["engaged"] > 0


def test_survey_has_two_waves_in_both_arms(small):
    survey = small.frame("survey")
    patients = survey[survey.instrument == "patient-experience"]
    assert set(patients.survey_date.dt.year) == {2008, 2009}
    asked = survey[survey.item_id == "rating"]
    assert asked.response.isna().mean() == pytest.approx(0.03, abs=0.03)
    known = Surveys().known
    assert set(survey.instrument) == set(known)
    for (instrument, item), mine in survey.groupby(["instrument", "item_id"]):
        declared = {i.id: i for i in known[instrument].items}[item]
        if declared.answers:
            assert set(mine.response.dropna()) <= set(declared.answers)
    assert not survey.duplicated(["person_id", "survey_date", "instrument", "item_id"]).any()


def test_the_study_file_of_the_demo_world_is_the_demonstration_study(tmp_path):
    shipped = Path(medhome.__file__).parents[1] / "studies" / "demo.toml"
    written = tmp_path / "study.toml"
    written.write_text(study_toml(WORLDS["demo"]), encoding="utf-8")
    assert read_study(written) == read_study(shipped)


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_study_files_of_all_worlds_are_valid(name, tmp_path):
    written = tmp_path / "study.toml"
    written.write_text(study_toml(WORLDS[name]), encoding="utf-8")
    spec = read_study(written)
    assert spec.id == name and spec.seed == WORLDS[name].seed
    assert (
        spec.periods.baseline == WORLDS[name].baseline
        and spec.periods.performance == WORLDS[name].performance
    )


def test_settings_that_do_not_fit_are_all_named_at_once():
    with pytest.raises(StudyFileError) as caught:
        replace(WORLDS["small"], start="2005-09", void_share=1.5, comparison_members=10)
    message = str(caught.value)
    assert caught.value.exit_code == 2
    assert "start 2005-09" in message and "void_share" in message and "comparison_members 10" in message


def test_truth_is_json_with_settings_and_no_trace_of_the_place(small):
    text = (small.folder / "truth.json").read_text(encoding="utf-8")
    plain = json.loads(text)
    assert plain["seed"] == WORLDS["small"].seed
    assert plain["settings"]["effect_pmpm_usd"] == -1.78
    assert str(small.folder) not in text
    assert set(plain["how"]) == set(plain["truths"])
