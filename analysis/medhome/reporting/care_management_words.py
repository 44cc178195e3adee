"""Care management in sentences: the funnel, how soon, how often, and what must not be compared."""

from __future__ import annotations

from medhome.reporting.datatable import Row, records
from medhome.study.care_management_results import ALL, CareManagement
from medhome.study.display import absent, count, interval, listed, number, pmpm, share, usd
from medhome.study.spec import StudySpec
from medhome.study.where_results import Where

NO_TABLE = (
    "This study has no file of care management (table care_management), so nothing is known here of who was "
    "identified, reached and engaged."
)
NOT_ASKED = "This study does not ask for care management ([care_management] of its study file)."
WARNING = (
    "Engaged members must not be compared with members who are not engaged. Who is listed, answers and stays "
    "is ill, or has just fallen ill, in ways that no adjustment here can see. In simulated programs without "
    "any effect such a comparison is wrong by hundreds of dollars per member per month, up or down by the "
    "window that is chosen (docs/methods/care_management.md)."
)


def absent_in_words(spec: StudySpec) -> str:
    """Why there is no funnel."""
    return NO_TABLE if spec.care_management.enabled else NOT_ASKED


def funnel_in_words(found: CareManagement) -> str:
    """How many members were identified, and which share of them was reached and engaged."""
    stages = {row["stage"]: row for row in records(found.stages)}
    listed_, everyone = stages["identified"], stages["members"]
    if listed_["members"] == 0:
        return "No member of the program was identified for care management."
    if absent(listed_["members"]) or absent(everyone["members"]):
        return "The numbers of the funnel are withheld: they are small."
    parts = [
        f"{count(row['members'])} ({share(row['members'] / listed_['members'])}) were {verb}"
        for row, verb in ((stages["reached"], "reached"), (stages["engaged"], "engaged"))
        if not absent(row["members"])
    ]
    said = f"; of them {listed(parts)}" if parts else ""
    return (
        f"Of {count(everyone['members'])} members of the program after the start, "
        f"{count(listed_['members'])} ({share(listed_['previous_share'])}) were identified{said}."
    )


def wait_in_words(found: CareManagement) -> str:
    """Days from identification to the first contact, with those never reached counted."""
    whole = _whole(found)
    if whole is None or absent(whole["identified"]) or not whole["identified"]:
        return ""
    if absent(whole["reached"]) or absent(whole["wait_q1_days"]):
        few = "is not known: fewer than a quarter were reached"
        told = "is not told" if absent(whole["reached"]) else few
        return f"The time from identification to the first contact {told}."
    names = (("wait_q1_days", "a quarter"), ("wait_median_days", "half"), ("wait_q3_days", "three quarters"))
    known = [
        f"{name} within {count(whole[column])} day" + ("" if whole[column] == 1 else "s")
        for column, name in names
        if not absent(whole[column])
    ]
    never = next((name for column, name in names if absent(whole[column])), "")
    missing = f"; fewer than {never} were ever reached" if never else ""
    return (
        f"Of those identified, {listed(known)} had a first contact{missing}. Members who were never reached, "
        "or left before, count as not reached."
    )


def work_in_words(found: CareManagement) -> str:
    """Contacts per member-month and per engaged member-month, and minutes."""
    whole = _whole(found)
    if whole is None or absent(whole["contacts"]):
        return "The number of contacts is withheld: it is small, or would tell a small one."
    if not whole["contacts"]:
        return "No contact was recorded in a member-month of the program."
    each = f", {number(whole['minutes'] / whole['contacts'], 0)} minutes each on average"
    minutes = each if whole["minutes"] > 0 else ""
    return (
        f"Care managers made {count(whole['contacts'])} contacts{minutes}: "
        f"{number(whole['contacts_per_1000'], 1)} per 1,000 member-months of all members, and "
        f"{number(whole['contacts_per_engaged_month'])} per month of an engaged member."
    )


def selection_in_words(found: CareManagement) -> str:
    """How different engaged members were before the program began."""
    stages = {row["stage"]: row for row in records(found.stages)}
    everyone, engaged = (stages[s]["expected_pmpm"] for s in ("members", "engaged"))
    if absent(everyone) or absent(engaged) or everyone <= 0:
        return ""
    return (
        f"By what was known at the baseline, engaged members were expected to cost {pmpm(engaged)}, "
        f"{number(engaged / everyone, 1)} times as much as all members of the program ({usd(everyone)})."
    )


def high_risk_in_words(found: Where) -> str:
    """The effect on members at high risk at the baseline, from the estimate of "Where and for whom"."""
    rows = [row for row in records(found.groups) if row["group"] == "risk:high"]
    if not rows or absent(rows[0]["estimate"]):
        return "The effect on members at high risk at the baseline was not estimated, or is withheld."
    row = rows[0]
    within = f" (95% interval {interval(row['lo95'], row['hi95'])})"
    if absent(row["lo95"]):
        within = " (too few members or organisations for an interval)"
    return (
        "Whether care management pays can be asked of members at high risk by what was known at the "
        "baseline, in both arms, worked with or not: among them cost changed by "
        f"{pmpm(row['estimate'])}{within} against expected, the estimate of the page \"Where and for whom\"."
    )


def dose_in_words(found: CareManagement) -> str:
    """What the bands of dose are, and are not."""
    return (
        "How often engaged members were in contact is a description. Members with many contacts are those "
        "who need many: a difference of cost between bands would be a difference of illness."
        if len(found.doses)
        else ""
    )


def _whole(found: CareManagement) -> Row | None:
    rows = [row for row in records(found.practices) if row["label"] == ALL]
    return rows[0] if rows else None
