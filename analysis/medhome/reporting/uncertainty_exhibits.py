"""The uncertainty of the whole chain on the page: every quantity with the same kinds of interval."""

from __future__ import annotations

from medhome.reporting.blocks import NOTHING, Block, paragraphs
from medhome.reporting.datatable import Column, DataTable, Row, Writer, records
from medhome.reporting.study_words import treated_arm
from medhome.reporting.words import definition_name
from medhome.study.display import (
    NOT_APPLICABLE,
    absent,
    count,
    in_unit,
    interval,
    listed,
    number,
    p_value,
    pmpm,
    share,
)
from medhome.study.released import ReleasedRun
from medhome.study.spec import StudySpec
from medhome.study.uncertainty_results import Uncertainty

_UNITS = {"USD PMPM": "$ PMPM", "USD": "$", "share": "%", "percentage points": "percentage points of trend"}


def uncertainty_of_the_chain(report: ReleasedRun) -> Block:
    """Table: every definition and every quantity of savings, with intervals of both kinds and chance."""
    found, spec = report.evaluation.uncertainty, report.spec
    if found.quantities.empty:
        return NOTHING
    said = [chance(found), practices(found), probability(found, spec)]
    return paragraphs(said) + chain(found).block()


def chance(found: Uncertainty) -> str:
    """How often an effect as large as the headline's would come about without a program."""
    rows = {row["quantity"]: row for row in records(found.quantities)}
    headline = rows.get("E3")
    if headline is None or absent(headline["p"]):
        return (
            "No chance is told: the setting of this study was not simulated, so that no p-value may be "
            "printed."
        )
    return (
        f"Without any effect, an estimate as far from zero as {pmpm(headline['estimate'])} would come about "
        f"with a probability of {p_value(headline['p'])}: the p-value of the method that is recommended for "
        "this number and size of organisations."
    )


def practices(found: Uncertainty) -> str:
    """What practices drawn anew can show, and what they cannot."""
    if found.why:
        return f"Practices were not drawn anew: {found.why}."
    return (
        f"Beside each interval stands that of {count(found.draws)} draws of practices within their arm. It "
        "is conditional on this organisation: it shows how much hangs on which practices are in it, and "
        "allows for no shock of the organisation as a whole."
    )


def probability(found: Uncertainty, spec: StudySpec) -> str:
    """How probable savings are, with the prior that was declared; without one, nothing is said."""
    known = {name: e for name, e in found.probabilities.items() if not absent(e.value)}
    if not known:
        return ""
    said = {"gross": "savings before fees", "net": "savings above fees"}
    parts = [f"of {said[name]} {share(e.value, 0)}" for name, e in known.items() if name in said]
    return (
        f"With the prior that the study file declares, {found.prior}, the probability in {treated_arm(spec)} "
        f"is {listed(parts)}."
    )


def chain(found: Uncertainty) -> DataTable:
    """Every quantity in its own unit."""

    def ends(prefix: str, level: str) -> Writer:
        def write(row: Row) -> str:
            digits = 1 if row["unit"] == "percentage points" else 2
            low, high = row[f"{prefix}lo{level}"], row[f"{prefix}hi{level}"]
            return interval(low, high, lambda v: in_unit(v, str(row["unit"]), digits))

        return write

    def one(name: str) -> Writer:
        def write(row: Row) -> str:
            return NOT_APPLICABLE if absent(row[name]) else in_unit(row[name], str(row["unit"]))

        return write

    rows = records(found.quantities)
    units = [_UNITS.get(str(row["unit"]), str(row["unit"])) for row in rows]
    frame = found.quantities.assign(name=[_named(row) for row in rows], shown_unit=units)
    factors = Column("completion_se", "of this, completion factors", number, by_row=one("completion_se"))
    narrower = Column("lo90", "90% interval", number, upper="hi90", by_row=ends("", "90"))
    return DataTable(
        id="tbl-uncertainty",
        caption="The uncertainty of every number from expected cost to return on fees",
        frame=frame,
        columns=(
            Column("name", "Quantity", beneath=Column("shown_unit", "unit")),
            Column("estimate", "Estimate", number, by_row=one("estimate")),
            Column("lo95", "95% interval", number, upper="hi95", by_row=ends("", "95"), beneath=narrower),
            # Of a mixture the interval's length and the standard deviation differ: this is the former's.
            Column(
                "se", "Length over 3.92", number, "of the 95% interval", by_row=one("se"), beneath=factors
            ),
            Column(
                "practices_lo95",
                "Practices drawn anew",
                number,
                "95%, conditional on this organisation",
                upper="practices_hi95",
                by_row=ends("practices_", "95"),
            ),
            Column("p", "Chance", p_value, "p"),
        ),
        strong=[row["quantity"] in ("E3", "gross_pmpm", "net_pmpm") for row in rows],
        note="Definitions are actual minus expected (negative: care cost less), savings the other way round. "
        "Intervals are those of each quantity's own exhibit, by the method recommended for this number and "
        "size of organisations, with the variance of the completion factors added. An interval of a level "
        "(versus peers) says where one more organisation would fall. Chance: of the headline (E3) and of "
        "gross savings by the recommended test, of other changes and of paid dollars by the model of their "
        "interval; a level has none, because organisations differ before any program.",
    )


def _named(row: Row) -> str:
    name = str(row["quantity"])
    return f"{definition_name(name)} {row['label']}" if name.startswith("E") else str(row["label"])
