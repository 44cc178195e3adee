"""Ways to spoil a study file: values out of range, keys that are missing or unknown, text that is no TOML."""

from __future__ import annotations

import re
from pathlib import Path

from tests.fuzz.cells import FORMULAS, LONG, MARKUP, ODD, PATHS
from tests.fuzz.draft import Draft

WORDS = (
    *("-1", "0", "1e308", "nan", "inf", "true", '""', '"x"', "[]", "{}", "[1, 2]", "1979-05-27"),
    *('"2008-13"', '"0000-00"', '"9999-12"', '"2008-6"', '"２００８-０６"', '"2008-06-01"', '"0001-01"'),
    *("99999999999999999999", "200806"),
)


def _keys(draft: Draft) -> list[tuple[int, str]]:
    """Lines of the form ``key = value`` on one line, with their numbers."""
    lines = draft.study.splitlines()
    return [(i, line) for i, line in enumerate(lines) if re.match(r"^\w+ = [^\[]", line)]


def _replaced(draft: Draft, number: int, line: str | None) -> None:
    lines = draft.study.splitlines()
    lines[number : number + 1] = [] if line is None else [line]
    draft.study = "\n".join(lines) + "\n"


def _drawn(draft: Draft) -> tuple[int, str, str]:
    keys = _keys(draft)
    number, line = keys[int(draft.rng.integers(len(keys)))]
    key, _, value = line.partition(" = ")
    return number, key, value


def value_out_of_range(draft: Draft) -> str:
    number, key, _ = _drawn(draft)
    word = str(draft.rng.choice(WORDS))
    _replaced(draft, number, f"{key} = {word}")
    return f"{key} = {word}"


def key_missing(draft: Draft) -> str:
    number, key, _ = _drawn(draft)
    _replaced(draft, number, None)
    return f"without {key}"


def key_unknown(draft: Draft) -> str:
    number, key, value = _drawn(draft)
    how = str(draft.rng.choice(["misspelt", "twice", "nested", "section"]))
    line = {
        "misspelt": f"{key}s = {value}",
        "twice": f"{key} = {value}\n{key} = {value}",
        "nested": f"{key}.more = {value}",
        "section": f"{key} = {value}\n[nonsense]\nx = 1",
    }[how]
    _replaced(draft, number, line)
    return f"{key} {how}"


def no_toml(draft: Draft) -> str:
    how = str(draft.rng.choice(["empty", "latin-1", "BOM", "cut", "binary", "NUL", "utf-16", "json", "deep"]))

    def change(folder: Path) -> None:
        path = folder / "study.toml"
        text = path.read_text(encoding="utf-8")
        content = {
            "empty": b"",
            "latin-1": text.replace("Medical", "Médical").encode("latin-1"),
            "BOM": text.encode("utf-8-sig"),
            "cut": text.encode()[: len(text) // 2],
            "binary": bytes(range(256)),
            "NUL": text.replace("seed", "se\x00ed").encode(),
            "utf-16": text.encode("utf-16"),
            "json": b'{"id": "x"}',
            "deep": b"a = " + b"[" * 50_000 + b"]" * 50_000,
        }[how]
        path.write_bytes(content)

    draft.after.append(change)
    return f"study.toml: {how}"


def odd_words(draft: Draft) -> str:
    """Names and titles that a page, a path or a notebook could take for something else."""
    number, key, _ = _drawn(draft)
    texts = [*FORMULAS, *PATHS, *MARKUP, *ODD, "x" * LONG, ""]
    words = re.compile(r"^(title|question|name|payer|organization|id) =")
    named = [(i, line) for i, line in _keys(draft) if words.match(line)]
    if draft.rng.random() < 0.7:
        number, line = named[int(draft.rng.integers(len(named)))]
        key = line.partition(" = ")[0]
    text = texts[int(draft.rng.integers(len(texts)))]
    escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\u{ord(c):04X}" for c in text)
    _replaced(draft, number, f'{key} = "{escaped}"')
    return f"{key} = {text[:30]!r}"


def other_designs(draft: Draft) -> str:
    """Study files that may be meant: every section set to something allowed, far from the usual."""
    choices = [
        ("age_max", "age_max = 17"),
        ("age_min", "age_min = 64"),
        ("age_max", "age_max = 64\nmin_months = 24"),
        ("age_max", "age_max = 64\nmin_months = 120"),
        ("age_max", 'age_max = 64\npayer_types = ["medicaid"]'),
        ("age_max", "age_max = 64\nrequire_medical_benefit = false"),
        ("lookback_months", "lookback_months = 36"),
        ("lookback_months", "lookback_months = 1"),
        ("lookback_months", "lookback_months = 12\nmin_visits = 12"),
        ("method", 'method = "roster"'),
        ("method", 'method = "rule"'),
        ("rule", 'rule = "hash"'),
        ("program_id", 'program_id = ""'),
        ("program_id", 'program_id = "ELSE"'),
        ("cap_usd_per_year", "cap_usd_per_year = 1000"),
        ("cap_usd_per_year", "cap_usd_per_year = 100000000"),
        ("cap_usd_per_year", 'cap_usd_per_year = 100000\nservices = "medical"'),
        ("cap_usd_per_year", "cap_usd_per_year = 100000\ncap_trend = 0.5"),
        ("model", 'model = "none"'),
        ("model", 'model = "age-sex"'),
        ("model", 'model = "age-sex-conditions"\nmin_members_per_term = 100000'),
        ("primary", 'primary = "E1"'),
        ("primary", 'primary = "E2"'),
        ("floor", "floor = 2"),
        ("floor", "floor = 100"),
        ("run_out_months", "run_out_months = 0"),
        ("run_out_months", "run_out_months = 36"),
        ("run_out_months", "run_out_months = 3\nwashout_months = 11"),
        ("run_out_months", "run_out_months = 3\nwashout_months = 24"),
        ("baseline_first", 'baseline_first = "2008-11"'),
        ("baseline_first", 'baseline_first = "2007-06"'),
        ("through", 'through = "2008-12"'),
        ("through", 'through = "2010-02"'),
        ("start", 'start = "2009-11"'),
        ("paid_through", 'paid_through = "2030-12"'),
        ("pmpm_usd", "pmpm_usd = 1000000000.0"),
        ("source", 'source = "synpuf"'),
        ("source", 'source = "cclf"'),
        ("source", 'source = "omop"'),
        ("source", 'source = "synthea"'),
    ]
    key, lines = choices[int(draft.rng.integers(len(choices)))]
    found = [number for number, line in _keys(draft) if line.startswith(f"{key} =")]
    _replaced(draft, found[int(draft.rng.integers(len(found)))], lines)
    return lines.replace("\n", ", ")


KINDS = (value_out_of_range, key_missing, key_unknown, no_toml, odd_words, other_designs, other_designs)
