"""What must hold, or should, in the answers of surveys: items, answers on their scale, weights, people.

An answer that is on no scale, or a weight of zero or less, stops the study. The rest is counted: such answers
are left out (`medhome.tables.surveys`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from medhome.study.periods import month_end
from medhome.study.spec import StudySpec
from medhome.study.survey_choices import Instrument, Item
from medhome.tables.rules import Rule

TABLE = "survey"


def answered_by_others(spec: StudySpec) -> str:
    """SQL that is true for a row whose person_id is no person: of clinicians' and practices' instruments."""
    names = [i.id for i in spec.surveys.known.values() if i.respondents != "members"]
    return f"instrument IN ({_listed(names)})"


def survey_rules(spec: StudySpec, tables: Iterable[str]) -> Iterator[Rule]:
    """The rules on the rows of the survey table, where the study evaluates it.

    Arguments
        tables: those that the input has.
    """
    if not spec.surveys.enabled:
        return
    known = list(spec.surveys.known.values())
    asked = _any(
        f"instrument = {_text(n.id)} AND item_id = {_text(i.id)}" for n, i in _of(known, "invitation")
    )
    yield _rule(
        "instrument_unknown",
        "instrument",
        "warning",
        f"Instrument that the study does not know (it knows {', '.join(i.id for i in known)}); left out",
        f"instrument NOT IN ({_listed(i.id for i in known)})",
    )
    yield _rule(
        "item_unknown",
        "item_id",
        "warning",
        "Item that its instrument does not have; left out",
        _any(
            f"instrument = {_text(n.id)} AND item_id NOT IN ({_listed(i.id for i in n.items)})" for n in known
        ),
    )
    yield _rule(
        "response_off_scale",
        "response",
        "error",
        "An answer that is none of its item's scale (name codes for no answer in the instrument's no_answer)",
        _any(_off_scale(n, i) for n in known for i in n.items if i.use != "invitation"),
    )
    yield _rule(
        "weight_not_positive",
        "weight",
        "error",
        "A weight that is zero, negative or no number",
        "weight <= 0 OR isnan(weight) OR isinf(weight)",
    )
    yield _rule(
        "weight_missing",
        "weight",
        "warning",
        "No weight, where other answers to the instrument have one; left out",
        f"weight IS NULL AND NOT ({asked}) "
        "AND instrument IN (SELECT instrument FROM survey WHERE weight IS NOT NULL)",
    )
    yield _rule(
        "outside_waves",
        "survey_date",
        "note",
        "Answer in no month of the baseline or of the months after the start; left out",
        f"NOT ({_any(_inside(spec))})",
    )
    if "provider_practice" in tables:
        for who, key, words in (
            ("clinicians", "npi", "Clinician who is not in provider_practice; left out"),
            ("practices", "practice_id", "Practice that is not in provider_practice; left out"),
        ):
            mine = _listed(i.id for i in known if i.respondents == who)
            told = f"SELECT {key} FROM provider_practice WHERE {key} IS NOT NULL"
            broken = f"instrument IN ({mine}) AND person_id NOT IN ({told})"
            yield _rule(f"unknown_{who}", "person_id", "warning", words, broken)


def _off_scale(instrument: Instrument, item: Item) -> str:
    mine = f"instrument = {_text(instrument.id)} AND item_id = {_text(item.id)}"
    silent = f"trim(response) NOT IN ({_listed(['', *instrument.no_answer])})"
    if item.unit == "mean":
        number = "TRY_CAST(response AS DOUBLE)"
        wrong = f"({number} IS NULL OR NOT ({number} BETWEEN {item.low} AND {item.high}))"
    else:
        wrong = f"trim(response) NOT IN ({_listed(item.answers)})"
    return f"{mine} AND response IS NOT NULL AND {silent} AND {wrong}"


def _inside(spec: StudySpec) -> Iterator[str]:
    """Conditions for the days of both waves."""
    for span in (spec.periods.baseline, spec.periods.performance):
        before, last = month_end(span.first - 1), month_end(list(span)[-1])
        yield f"survey_date > DATE '{before}' AND survey_date <= DATE '{last}'"


def _of(known: Iterable[Instrument], use: str) -> Iterator[tuple[Instrument, Item]]:
    return ((n, i) for n in known for i in n.items if i.use == use)


def _rule(id: str, column: str, severity: str, label: str, broken: str) -> Rule:
    return Rule(id=id, table=TABLE, column=column, severity=severity, label=label, broken=broken)


def _any(conditions: Iterable[str]) -> str:
    return " OR ".join(f"({c})" for c in conditions) or "false"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _listed(values: Iterable[str]) -> str:
    return ", ".join(_text(v) for v in values) or "NULL"
