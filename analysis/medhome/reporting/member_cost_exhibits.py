"""The members' cost models as tables: exhibits T8 to T10, and the effect by model."""

from __future__ import annotations

import pandas as pd

from medhome.reporting import member_cost_words as told
from medhome.reporting.cohort_exhibits import by_arm
from medhome.reporting.datatable import Column, DataTable, Row, records
from medhome.reporting.member_cost_words import family_name
from medhome.study.display import NOT_APPLICABLE, absent, count, in_unit, number, p_value, ratio, share, usd
from medhome.study.member_cost_results import MemberCosts
from medhome.study.spec import StudySpec

_MEMBERS = Column("members", "Members", count)
_ACTUAL, _PREDICTED = Column("actual_pmpm", "Actual", usd, "$ PMPM"), Column(
    "predicted_pmpm", "Predicted", usd, "$ PMPM"
)  # fmt: skip
_RATIO = Column("predictive_ratio", "Predicted over actual", ratio)
KINDS = {
    "actual": ("tbl-ratios-actual", "Predicted over actual cost by fifth of actual cost"),
    "condition": ("tbl-ratios-condition", "Predicted over actual cost by condition"),
    "age_sex": ("tbl-ratios-age-sex", "Predicted over actual cost by age and sex"),
}
_TESTS = {
    "park": "modified Park",
    "link": "Pregibon link",
    "hosmer": "modified Hosmer-Lemeshow",
    "pearson": "Pearson correlation",
    "copas": "Copas",
}


def accuracy(found: MemberCosts, spec: StudySpec) -> DataTable:
    """Exhibit T9: every family for everybody; the primary one by stratum, too, and uncapped."""
    frame = found.accuracy[found.accuracy["period"] == told.BASELINE]
    everybody = frame.index.isin(told.of_all(frame).index)
    frame = frame[everybody | (frame["family"] == found.primary)]
    return DataTable(
        id="tbl-cost-model-accuracy",
        caption="Accuracy of the cost models at baseline",
        frame=_named(by_arm(frame, spec)),
        columns=(
            Column("name", "Model", beneath=Column("whom", "of")),
            Column("arm_label", "Arm"),
            _MEMBERS,
            Column("r2", "R\N{SUPERSCRIPT TWO}", ratio),
            Column("mae_share", "Mean absolute error", share, "of mean cost"),
            Column("cpm", "Cumming's measure", ratio),
            _RATIO,
        ),
        counts=MemberCosts.COUNTS["accuracy"],
        resting=MemberCosts.RESTING["accuracy"],
        note="Members of comparison practices are predicted by fits without their practice; the program's "
        "members are in no fit.",
    )


def by_prediction(found: MemberCosts, spec: StudySpec) -> DataTable:
    """Exhibit T10: predicted and actual cost by tenth of predicted cost."""
    caption = "Predicted and actual cost by tenth of predicted cost"
    return _ratios(found, spec, "predicted", "tbl-ratios-predicted", caption)


def by_group(found: MemberCosts, spec: StudySpec, kind: str) -> DataTable:
    """Exhibit T10: predicted over actual cost by fifth of actual cost, condition, or age and sex."""
    return _ratios(found, spec, kind, *KINDS[kind])


def _ratios(found: MemberCosts, spec: StudySpec, kind: str, name: str, caption: str) -> DataTable:
    frame = found.ratios[found.ratios["kind"] == kind]
    return DataTable(
        id=name,
        caption=caption,
        frame=by_arm(frame, spec),
        columns=(
            Column("label", "Group"),
            Column("arm_label", "Arm"),
            _MEMBERS,
            _PREDICTED,
            _ACTUAL,
            _RATIO,
            Column("uncapped_ratio", "The same, uncapped", ratio),
        ),
        counts=MemberCosts.COUNTS["ratios"],
        resting=MemberCosts.RESTING["ratios"],
        note=f"{family_name(found.primary)}, at baseline.",
    )


def practices(found: MemberCosts, spec: StudySpec) -> DataTable:
    """Exhibit T10 by practice, beside random panels of each practice's size."""
    return DataTable(
        id="tbl-cost-model-practices",
        caption="Predicted over actual cost by practice, beside random panels of its size",
        frame=by_arm(found.practices, spec),
        columns=(
            Column("label", "Practice"),
            Column("arm_label", "Arm"),
            _MEMBERS,
            _PREDICTED,
            _ACTUAL,
            _RATIO,
            Column("lo95", "95% of random panels", ratio, upper="hi95"),
        ),
        counts=MemberCosts.COUNTS["practices"],
        resting=MemberCosts.RESTING["practices"],
    )


def recalibration(found: MemberCosts) -> DataTable:
    """The program's members, predicted and recalibrated on the comparison arm."""
    frame = found.recalibration
    when = {"baseline": "At baseline", "performance": "After the start"}
    return DataTable(
        id="tbl-cost-model-recalibration",
        caption="The program's members, recalibrated on the comparison arm",
        frame=frame.assign(
            name=[family_name(f) for f in frame["family"]], when=[when[str(p)] for p in frame["period"]]
        ),
        columns=(
            Column("name", "Model", beneath=Column("when", "period")),
            _MEMBERS,
            Column("factor", "Factor", ratio),
            _ACTUAL,
            _PREDICTED,
            Column("recalibrated_pmpm", "Recalibrated", usd, "$ PMPM"),
            _RATIO,
            Column("recalibrated_ratio", "Recalibrated over actual", ratio),
        ),
        counts=MemberCosts.COUNTS["recalibration"],
        resting=MemberCosts.RESTING["recalibration"],
        note="The factor makes predicted cost of the comparison arm equal to its actual cost in the period.",
    )


def tests(found: MemberCosts) -> DataTable:
    """Exhibit T8: the specification tests of every model, one row each."""
    rows = []
    for (family, stratum), part in found.tests.groupby(["family", "stratum"], sort=False):
        row: dict[str, object] = {"family": family, "stratum": stratum, "members": part["members"].iloc[0]}
        for name, beginning in _TESTS.items():
            own = part[part["test"].str.startswith(beginning)]
            # Two parts have two links: the one that fits worse is told.
            worst = min(records(own), key=lambda r: 2.0 if absent(r["p"]) else float(r["p"]))
            row |= {name: worst["statistic"], f"{name}_p": worst["p"]}
            row |= {f"{name}_lo": worst["lo95"], f"{name}_hi": worst["hi95"]}
        rows.append(row)
    columns = [f"{n}{e}" for n in _TESTS for e in ("", "_p", "_lo", "_hi")]
    frame = pd.DataFrame(rows, columns=["family", "stratum", "members", *columns])
    return DataTable(
        id="tbl-cost-model-tests",
        caption="Specification tests of the cost models",
        frame=_named(frame),
        columns=(
            Column("name", "Model", beneath=Column("whom", "of")),
            Column("park", "Park power", ratio, beneath=Column("park_lo", "95%", ratio, upper="park_hi")),
            Column("link_p", "Link", p_value, "p"),
            Column("hosmer_p", "Hosmer-Lemeshow", p_value, "p"),
            Column("pearson", "Pearson r", ratio, beneath=Column("pearson_p", "p", p_value)),
            Column("copas", "Copas slope", ratio, beneath=Column("copas_lo", "95%", ratio, upper="copas_hi")),
        ),
        counts=("members",),
        resting=tuple(columns),
        note="Park: the power of the mean with which the variance grows (none for OLS, one for Poisson, two "
        "for gamma). Link and Hosmer-Lemeshow: small p-values mean that the form is wrong. Copas: one where "
        "predictions of practices not seen are on the scale of cost, less where the model is overfitted.",
    )


def meanings(found: MemberCosts) -> DataTable:
    """Every specification test with what it means."""
    return DataTable(
        id="tbl-cost-model-meanings",
        caption="What each test means",
        frame=_named(found.tests),
        columns=(
            Column("name", "Model", beneath=Column("whom", "of")),
            Column("test", "Test"),
            Column("statistic", "Statistic", ratio),
            Column("p", "p", p_value),
            Column("meaning", "Meaning"),
        ),
        counts=MemberCosts.COUNTS["tests"],
        resting=MemberCosts.RESTING["tests"],
    )


_GAP = Column("gap_pmpm", "gap to actual", usd)


def effects(found: MemberCosts) -> DataTable:
    """The effect of the program under each model of members' cost, with both intervals."""
    frame = _named(found.effects[found.effects["why"] == ""])
    if "gap_pmpm" not in frame:  # a run from before it was kept
        frame = frame.assign(gap_pmpm=float("nan"))
    return DataTable(
        id="tbl-cost-model-effects",
        caption="Effect of the program by recycled predictions",
        frame=frame,
        columns=(
            Column("name", "Model", beneath=Column("whom", "of")),
            _MEMBERS,
            Column("with_pmpm", "With the program", usd, "$ PMPM", beneath=_GAP),
            Column("without_pmpm", "Without", usd, "$ PMPM"),
            Column("estimate", "Effect", usd, "$ PMPM"),
            Column("lo95", "95% interval, delta method", usd, "$ PMPM", upper="hi95"),
            Column("lo95_bootstrap", "95% interval, practices drawn", usd, "$ PMPM", upper="hi95_bootstrap"),
        ),
        counts=MemberCosts.COUNTS["effects"],
        resting=MemberCosts.RESTING["effects"],
        note="Gap to actual: actual cost of the program's members after the start less what the model "
        "expects with the program. It is zero where the link is canonical (OLS, Poisson), right or wrong.",
    )


def identity(found: MemberCosts) -> DataTable:
    """Expected and actual cost of the rows fitted on, and the gap."""

    def in_its_unit(name: str, digits: int = 2) -> Column:
        label = name.replace("_", " ").capitalize()
        return Column(name, label, usd, by_row=lambda r: in_unit(r[name], str(r["unit"]), digits))

    def gap(row: Row) -> str:
        if absent(row["gap_share"]):
            return NOT_APPLICABLE
        return "none" if row["gap"] == 0 else share(row["gap_share"], 2)

    parts = {"cost": "cost PMPM", "any cost": "members with any cost"}
    frame = found.identity[found.identity["why"] == ""]
    frame = frame.assign(what=[parts.get(str(p), str(p)) for p in frame["part"]])
    return DataTable(
        id="tbl-cost-model-identity",
        caption="Expected and actual on the rows fitted on",
        frame=_named(frame),
        columns=(
            Column("name", "Model", beneath=Column("whom", "of")),
            Column("what", "What"),
            _MEMBERS,
            in_its_unit("actual"),
            in_its_unit("expected"),
            Column("gap_share", "Gap", lambda v: number(v, 4), "of actual", by_row=gap),
        ),
        counts=MemberCosts.COUNTS["identity"],
        resting=MemberCosts.RESTING["identity"],
    )


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows with the name of the family and of whom it is a model."""
    capped = frame["cap"] if "cap" in frame else pd.Series("capped", index=frame.index)
    whom = [
        ("all members" if s == told.ALL else str(s)) + (", uncapped" if c == "uncapped" else "")
        for s, c in zip(frame["stratum"], capped, strict=True)
    ]
    return frame.assign(name=[family_name(f) for f in frame["family"]], whom=whom)
