"""What a reader must know about cost that was not yet paid: sentences from the completion of a study."""

from __future__ import annotations

from collections.abc import Iterator

from medhome.study.completion_results import Completion
from medhome.study.display import month, share, usd
from medhome.study.results import Check, DidResult
from medhome.study.spec import StudySpec


def completeness(completion: Completion, did: DidResult, spec: StudySpec) -> Iterator[Check]:
    """Whether the months were paid by the cut, and what completing them changes."""
    cut = completion.run_out_months
    months = "1 month" if cut == 1 else f"{cut} months"
    if not completion.available:
        yield Check(
            id="completion",
            passed=None,
            sentence=f"Completion to ultimate cost is not available: {completion.reason}. Cost is as paid by "
            "the study's cut.",
        )
        return
    if completion.lowest:
        at, paid = int(completion.lowest["month"]), completion.lowest["share"]
        enough = paid >= spec.completion.warn_below
        yield Check(
            id="completion",
            passed=enough,
            front_page=True,
            sentence=f"By {months} after service at least {share(paid)} of the cost of each month analysed "
            f"is estimated to be paid (least: {month(at)})"
            + ("." if enough else f"; below {share(spec.completion.warn_below, 0)} completion decides much."),
        )
    done, other = (completion.rows[k].value for k in ("completed_effect_pmpm", "separate_effect_pmpm"))
    as_paid = did.headline.value
    if as_paid is not None and done is not None and other is not None:
        rule = "pooled" if spec.completion.arms == "separate" else "each arm's own"
        yield Check(
            id="completed-effect",
            passed=None,
            sentence=f"The effect is {usd(as_paid)} PMPM as paid by the cut and {usd(done)} PMPM on "
            f"completed cost; with {rule} factors instead it would be {usd(other)} PMPM.",
        )
