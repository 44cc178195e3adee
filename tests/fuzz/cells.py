"""Ways to spoil what stands in the cells of a study's tables. Each says in words what it did."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from tests.fuzz.draft import NEEDED, Draft

LONG = 10_000
FORMULAS = ("=cmd|'/C calc'!A0", "=1+1", "@SUM(A1)", "+1-1", "-2+3", '=HYPERLINK("http://x","y")', "\t=1")
PATHS = (
    "../../x",
    "..",
    ".",
    "/etc/passwd",
    "C:\\Windows",
    "C:\\",
    "\\\\host\\share",
    "CON",
    "~",
    "a/b",
    "x\\..\\y",
)
MARKUP = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</td></table><h1>",
    "{{ 7*7 }}",
    "{% raw %}",
    "&lt;b&gt;",
    "$x_1$ \\(y\\)",
    "| a | b |",
    "`code` **bold**",
    "javascript:alert(1)",
)
ODD = (
    "'; DROP TABLE eligibility; --",
    "O'Brien",
    'say "hi"',
    "a,b",
    "a\nb",
    "a\r\nb",
    "\x00",
    "\u202etxt",
    "\U0001f600",
    "e\u0301",
    "\u00a0",
    " ",
    "NULL",
    "None",
    "nan",
    "~",
    "ﬁ",
    "\ufeffx",
)
NAMES = ("practice_id", "organization_id", "npi", "person_id", "program_id", "claim_id")


def strings_in_numbers(draft: Draft) -> str:
    table = draft.table("medical_claim", "pharmacy_claim", "provider_practice", "eligibility")
    column = draft.column(table, "money", "integer", "number", "flag")
    words = [
        "a lot",
        "1,234.56",
        "$5",
        "1e400",
        "",
        " ",
        "-",
        "NaN",
        "inf",
        "12.34 USD",
        "0x1F",
        "1e3",
        "１２",
    ]
    word = str(draft.rng.choice(words))
    draft.kinds[table] = str(draft.rng.choice(["csv", "parquet"]))
    draft.put(table, column, draft.rows(table), [word])
    return f"{table}.{column} = {word!r}"


def floats_in_dates(draft: Draft) -> str:
    table = draft.table(*NEEDED)
    column = draft.column(table, "date")
    value = float(draft.rng.choice([39448.0, 39448.5, 20080102.0, -1.5, 1.199145600e9]))
    rows = draft.rows(table)
    draft.kinds[table] = str(draft.rng.choice(["csv", "parquet"]))
    whole = list(range(len(draft.tables[table])))
    draft.put(table, column, whole if draft.rng.random() < 0.5 else rows, [value])
    return f"{table}.{column} = {value}"


def booleans(draft: Draft) -> str:
    table = draft.table()
    column = str(draft.rng.choice(list(draft.tables[table].columns)))
    draft.put(table, column, list(range(len(draft.tables[table]))), [True, False])
    return f"{table}.{column} true, false"


def wrong_arrow_types(draft: Draft) -> str:
    table = draft.table(*NEEDED)
    column = str(draft.rng.choice(list(draft.tables[table].columns)))
    zone = dt.timezone(dt.timedelta(hours=9))
    values = {
        "list": [1, 2],
        "struct": {"a": 1},
        "bytes": b"\xff\xfe",
        "time": dt.time(1, 2),
        "timestamp with a zone": dt.datetime(2008, 12, 31, 23, 30, tzinfo=zone),
        "duration": dt.timedelta(days=3),
        "decimal": Decimal("12.3456789012"),
        "integer": 20_080_102,
        "huge integer": 2**62,
        "negative integer": -1,
    }
    kind = str(draft.rng.choice(list(values)))
    draft.put(table, column, list(range(len(draft.tables[table]))), [values[kind]])
    return f"{table}.{column} holds {kind}"


def nulls_in_required(draft: Draft) -> str:
    table = draft.table(*NEEDED)
    column = str(draft.rng.choice(list(draft.tables[table].columns)))
    rows = draft.rows(table)
    draft.kinds[table] = str(draft.rng.choice(["csv", "parquet"]))
    draft.put(table, column, rows, [None])
    return f"{table}.{column} empty in {len(rows)} rows"


def absurd_dates(draft: Draft) -> str:
    table = draft.table(*NEEDED)
    column = draft.column(table, "date")
    rows = draft.rows(table)
    if draft.rng.random() < 0.5:
        days = [dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(2262, 4, 12), dt.date(1899, 12, 30)]
        days += [dt.date(1900, 1, 1), dt.date(2999, 1, 1), dt.date(1582, 10, 10), dt.date(1678, 1, 1)]
        day = days[int(draft.rng.integers(len(days)))]
        draft.put(table, column, rows, [day])
        return f"{table}.{column} = {day}"
    words = [
        "infinity",
        "-infinity",
        "epoch",
        "2008-02-30",
        "0000-00-00",
        "99991231",
        "10000-01-01",
        "44-03-15 (BC)",
    ]
    words += ["01/02/2008", "2008-1-2", "2008-01-02T00:00:00Z", "2008-01-02 25:61", "today", "290309-12-22"]
    word = str(draft.rng.choice(words))
    draft.kinds[table] = "csv"
    draft.put(table, column, rows, [word])
    return f"{table}.{column} = {word!r}"


def negative_spans(draft: Draft) -> str:
    pairs = [
        ("eligibility", "enrollment_start_date", "enrollment_end_date"),
        ("medical_claim", "claim_start_date", "claim_end_date"),
        ("medical_claim", "admission_date", "discharge_date"),
        ("provider_practice", "effective_start_date", "effective_end_date"),
        ("program_roster", "start_date", "end_date"),
        ("eligibility", "birth_date", "death_date"),
        ("medical_claim", "claim_start_date", "paid_date"),
    ]
    table, first, last = pairs[int(draft.rng.integers(len(pairs)))]
    frame = draft.tables[table]
    rows = [r for r in draft.rows(table) if frame[first][r] is not None] or [0]
    before = int(draft.rng.choice([1, 40, 4000]))
    for row in rows:
        day = frame[first][row] or dt.date(2008, 6, 1)
        draft.put(table, last, [row], [day - dt.timedelta(days=before)])
        frame = draft.tables[table]
        if len(rows) > 50 and row > rows[50]:
            break
    return f"{table}.{last} {before} days before {first}"


def shifted_dates(draft: Draft) -> str:
    table = draft.table(*NEEDED)
    columns = draft.columns(table, "date")
    years = int(draft.rng.choice([-100, -10, -1, 1, 10, 1000]))
    for column in columns:
        moved = [
            None if day is None else dt.date(min(max(day.year + years, 1), 9999), day.month, min(day.day, 28))
            for day in draft.tables[table][column]
        ]
        draft.put(table, column, list(range(len(moved))), moved)
    return f"{table}: all dates moved by {years} years"


def duplicate_keys(draft: Draft) -> str:
    import pandas as pd

    table = draft.table()
    frame = draft.tables[table]
    again = frame.iloc[draft.rows(table)].copy()
    how = str(draft.rng.choice(["as they are", "with other values"]))
    if how == "with other values":
        column = str(draft.rng.choice(list(frame.columns)))
        again[column] = list(frame[column].iloc[::-1])[: len(again)]
    draft.tables[table] = pd.concat([frame, again], ignore_index=True)
    return f"{table}: {len(again)} rows again, {how}"


def dangling_keys(draft: Draft) -> str:
    pairs = [
        ("medical_claim", "person_id"),
        ("medical_claim", "rendering_npi"),
        ("medical_claim", "x_adjusts_claim_id"),
        ("pharmacy_claim", "person_id"),
        ("eligibility", "person_id"),
        ("program_roster", "unit_id"),
        ("program_roster", "program_id"),
        ("provider_practice", "npi"),
        ("provider_practice", "practice_id"),
        ("care_management", "person_id"),
        ("survey", "person_id"),
    ]
    table, column = pairs[int(draft.rng.integers(len(pairs)))]
    draft.put(table, column, draft.rows(table), ["NOBODY"])
    return f"{table}.{column} names nobody"


def text_of(draft: Draft, values: tuple[str, ...]) -> str:
    """Put texts into a column of text, or rename practices, people and the like wherever they stand."""
    if draft.rng.random() < 0.6:
        name = str(draft.rng.choice(NAMES[:5]))
        held = sorted({v for f in draft.tables.values() if name in f for v in f[name] if v is not None})
        renamed = {
            old: f"{values[i % len(values)]}{i if i >= len(values) else ''}" for i, old in enumerate(held)
        }
        for table, frame in draft.tables.items():
            for column in [c for c in frame.columns if c == name or (name == "npi" and c.endswith("_npi"))]:
                draft.put(table, column, list(range(len(frame))), [renamed.get(v, v) for v in frame[column]])
            if table == "program_roster" and name == "practice_id":
                moved = [renamed.get(v, v) for v in frame["unit_id"]]
                draft.put(table, "unit_id", list(range(len(frame))), moved)
        if draft.rng.random() < 0.4:
            draft.kinds |= dict.fromkeys(draft.tables, "csv")
        return f"every {name} renamed, such as {values[0][:30]!r}"
    table = draft.table()
    column = draft.column(table, "text", "id", "code", "enum")
    draft.kinds[table] = str(draft.rng.choice(["csv", "parquet"]))
    value = str(draft.rng.choice(values))
    draft.put(table, column, draft.rows(table), [value])
    return f"{table}.{column} = {value[:30]!r}"


def long_strings(draft: Draft) -> str:
    return text_of(draft, tuple(c * LONG for c in "ax9é'<"))


def formula_like(draft: Draft) -> str:
    return text_of(draft, FORMULAS)


def path_like(draft: Draft) -> str:
    return text_of(draft, PATHS)


def html_like(draft: Draft) -> str:
    return text_of(draft, MARKUP)


def odd_characters(draft: Draft) -> str:
    return text_of(draft, ODD)


def huge_amounts(draft: Draft) -> str:
    table = draft.table("medical_claim", "pharmacy_claim")
    column = draft.column(table, "money")
    amount = float(draft.rng.choice([29e6, 1e9, 9e12, 1e13, 1e15, 9.3e18, 1e30, 1e308, -1e12, -29e6]))
    draft.kinds[table] = str(draft.rng.choice(["csv", "parquet"]))
    rows = draft.rows(table)
    draft.put(table, column, rows, [amount])
    return f"{table}.{column} = {amount:g} in {len(rows)} rows"


def nan_and_inf_amounts(draft: Draft) -> str:
    table = draft.table("medical_claim", "pharmacy_claim")
    column = draft.column(table, "money", "number")
    amount = float(draft.rng.choice(["nan", "inf", "-inf", "-0.0", "5e-324"]))
    draft.kinds[table] = str(draft.rng.choice(["csv", "parquet"]))
    draft.put(table, column, draft.rows(table), [amount])
    return f"{table}.{column} = {amount}"


def all_amounts(draft: Draft) -> str:
    amount = float(draft.rng.choice([0.0, 100.0, -100.0, 0.004]))
    for table in ("medical_claim", "pharmacy_claim"):
        for column in draft.columns(table, "money"):
            draft.put(table, column, list(range(len(draft.tables[table]))), [amount])
    return f"every amount is {amount}"


def all_of_one_status(draft: Draft) -> str:
    status = str(draft.rng.choice(["denied", "reversed", "PAID", "unknown", ""]))
    for table in ("medical_claim", "pharmacy_claim"):
        draft.put(table, "x_claim_status", list(range(len(draft.tables[table]))), [status])
    return f"every line is {status!r}"


def one_value_everywhere(draft: Draft) -> str:
    table = draft.table(*NEEDED)
    frame = draft.tables[table]
    column = str(draft.rng.choice(list(frame.columns)))
    draft.put(table, column, list(range(len(frame))), [frame[column][0]])
    return f"{table}.{column} has one value"


KINDS = (
    strings_in_numbers,
    floats_in_dates,
    booleans,
    wrong_arrow_types,
    nulls_in_required,
    absurd_dates,
    negative_spans,
    shifted_dates,
    duplicate_keys,
    dangling_keys,
    long_strings,
    formula_like,
    path_like,
    html_like,
    odd_characters,
    huge_amounts,
    nan_and_inf_amounts,
    all_amounts,
    all_of_one_status,
    one_value_everywhere,
)
