"""The specification curve on the page: every estimate in order, and below it the choices behind each."""

from __future__ import annotations

import pandas as pd

from medhome.reporting.blocks import Block, notice, paragraphs
from medhome.reporting.datatable import Column, DataTable, records
from medhome.reporting.specification_figure import figure
from medhome.reporting.specification_labels import AXIS_LABELS, label
from medhome.study.display import count, number, p_value, pmpm, share, usd
from medhome.study.released import ReleasedRun
from medhome.study.specification_results import SpecificationCurve


def specification_curve(report: ReleasedRun) -> Block:
    """Every combination of choices that could have been made otherwise, and the effect under each."""
    found = report.evaluation.specifications
    missing = notice("Not in the curve", [f"{s}." for s in found.left_out])
    if found.effects.empty:
        return missing
    return (
        paragraphs(in_words(found))
        + figure(found, report.spec, choices(found)).block()
        + paragraphs(ranks_in_words(found))
        + missing
    )


def in_words(found: SpecificationCurve) -> list[str]:
    """How far the estimates lie apart, where the study's own lies, and which choice moves them most."""
    effects = found.effects
    below = float((effects["estimate"] < 0).mean())
    sentences = [
        f"{count(len(effects))} combinations of choices give effects from {usd(effects['estimate'].min())} "
        f"to {pmpm(effects['estimate'].max())}, half of them below {usd(effects['estimate'].median())}; "
        f"{share(below, 0)} are below zero (care cost less)."
    ]
    own = effects.index[effects["primary"]]
    if len(own):
        sentences.append(
            f"The study's own, declared beforehand, is {usd(effects['estimate'].iloc[own[0]])}: number "
            f"{count(own[0] + 1)} of {count(len(effects))} from the lowest."
        )
    spread = found.choices.groupby("axis", sort=False)["median"].agg(["min", "max", "size"])
    spread = spread[spread["size"] > 1]
    if len(spread):
        axis = str((spread["max"] - spread["min"]).idxmax())
        rows = found.choices[found.choices["axis"] == axis]
        low, high = rows.iloc[int(rows["median"].argmin())], rows.iloc[int(rows["median"].argmax())]
        sentences.append(
            f"Of these choices {AXIS_LABELS[axis].lower()} moves the effect most: half of the estimates lie "
            f"below {usd(low['median'])} with \N{LEFT DOUBLE QUOTATION MARK}{label(axis, low['value'])}"
            f"\N{RIGHT DOUBLE QUOTATION MARK} and below {usd(high['median'])} with "
            f"\N{LEFT DOUBLE QUOTATION MARK}{label(axis, high['value'])}\N{RIGHT DOUBLE QUOTATION MARK}."
        )
    return sentences


def ranks_in_words(found: SpecificationCurve) -> list[str]:
    """How often the curve would look as extreme with the program elsewhere; why no intervals are drawn."""
    rows = {str(row["statistic"]): row for row in records(found.ranks)}
    sentences = []
    if rows:
        median, sign = rows["median"], rows["same_sign"]
        tried = "every possible set" if found.exact else "random sets"
        sentences.append(
            f"The whole curve was estimated anew with {tried} of as many organisations called the program "
            f"({count(median['assignments'])} assignments). A median effect at least as far from zero came "
            f"up {count(median['rank'])} times, the actual one counted (p = {p_value(median['p'])}), and at "
            f"least {share(sign['value'], 0)} of effects of one sign {count(sign['rank'])} times "
            f"(p = {p_value(sign['p'])}). The smallest p that this can give is "
            f"{p_value(median['smallest_p'])}; it is right where organisations are of like size."
        )
    one = found.treated_organizations == 1
    sentences.append(
        "Intervals of single specifications are not drawn: "
        + (
            "with one organisation in the program no conventional interval is valid, "
            if one
            else f"with {count(found.treated_organizations)} organisations in the program conventional "
            "intervals are likely too short, "
        )
        + "whichever the clusters. The study's own has the interval of the headline. Estimates that share "
        "members are not independent: many dots near each other are not many studies."
    )
    return sentences


def choices(found: SpecificationCurve) -> DataTable:
    """Every choice with the middle, the least and the most of its estimates."""
    frame = found.choices
    named = frame.assign(
        name=[label(str(a), str(v)) for a, v in zip(frame["axis"], frame["value"], strict=True)],
        axis_name=[AXIS_LABELS[str(a)] for a in frame["axis"]],
    )
    return DataTable(
        id="tbl-specification-choices",
        caption="The effect by choice",
        frame=pd.DataFrame(named),
        columns=(
            Column("name", "Choice", beneath=Column("axis_name", "of")),
            Column("estimates", "Estimates", count),
            Column("median", "Median", number, "$ PMPM"),
            Column("least", "Lowest", number, "$ PMPM"),
            Column("most", "Highest", number, "$ PMPM"),
        ),
        strong=[bool(p) for p in frame["primary"]],
        note="In bold: the study's own choice.",
    )
