"""Ways to spoil the files of a study's tables: encodings, ends, names, columns, rows that are not there."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from tests.fuzz.draft import NEEDED, Draft, as_arrow, as_csv


def encodings(draft: Draft) -> str:
    table = draft.table(*NEEDED)
    encoding = str(draft.rng.choice(["latin-1", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "utf-7"]))
    column = draft.column(table, "text", "id")
    draft.put(table, column, draft.rows(table), ["Sé€ pédiatrie" if encoding != "latin-1" else "pédiatrie"])
    draft.kinds[table] = "csv"

    def change(folder: Path) -> None:
        path = folder / f"{table}.csv"
        path.write_bytes(path.read_bytes().decode().encode(encoding, errors="replace"))

    draft.after.append(change)
    return f"{table}.csv in {encoding}"


def truncated(draft: Draft) -> str:
    table = draft.table(*NEEDED)
    kind = str(draft.rng.choice(["csv", "parquet", "csv.gz"]))
    share = float(draft.rng.choice([0.0, 0.001, 0.5, 0.97, 0.9999]))
    draft.kinds[table] = kind.removesuffix(".gz")

    def change(folder: Path) -> None:
        path = folder / f"{table}.{draft.kinds[table]}"
        content = path.read_bytes()
        if kind == "csv.gz":
            path.unlink()
            path, content = folder / f"{table}.csv.gz", gzip.compress(content, mtime=0)
        path.write_bytes(content[: int(len(content) * share)])

    draft.after.append(change)
    return f"{table}.{kind} cut to {share:.2%}"


def broken_bytes(draft: Draft) -> str:
    table = draft.table(*NEEDED)
    kind = str(draft.rng.choice(["csv", "parquet"]))
    places, flipped = draft.rng.random(8), draft.rng.integers(0, 256, 8)
    draft.kinds[table] = kind

    def change(folder: Path) -> None:
        path = folder / f"{table}.{kind}"
        content = bytearray(path.read_bytes())
        for place, byte in zip(places, flipped, strict=True):
            content[int(place * len(content))] = int(byte)
        path.write_bytes(bytes(content))

    draft.after.append(change)
    return f"{table}.{kind} with eight bytes of noise"


def wrong_delimiter(draft: Draft) -> str:
    table = draft.table(*NEEDED)
    delimiter = str(draft.rng.choice([";", "\t", "|", " ", "\x01"]))
    draft.kinds[table] = "csv"

    def change(folder: Path) -> None:
        (folder / f"{table}.csv").write_bytes(as_csv(draft.tables[table], delimiter))

    draft.after.append(change)
    return f"{table}.csv separated by {delimiter!r}"


def line_ends(draft: Draft) -> str:
    table = draft.table(*NEEDED)
    how = str(
        draft.rng.choice(["\r\n", "\r", "no end", "quote", "ragged", "blank lines", "semicolon row", "NUL"])
    )
    place = float(draft.rng.random())
    draft.kinds[table] = "csv"

    def change(folder: Path) -> None:
        path = folder / f"{table}.csv"
        lines = path.read_bytes().split(b"\n")
        row = 1 + int(place * (len(lines) - 2))
        if how in ("\r\n", "\r"):
            path.write_bytes(as_csv(draft.tables[table], ends=how))
            return
        if how == "no end":
            lines = lines[:-1]
        elif how == "quote":
            lines[row] = lines[row].replace(b",", b',"', 1)
        elif how == "ragged":
            lines[row] = lines[row].rsplit(b",", 2)[0] if place < 0.5 else lines[row] + b",more,and,more"
        elif how == "blank lines":
            lines[row:row] = [b"", b"", b"   "]
        elif how == "semicolon row":
            lines[row] = lines[row].replace(b",", b";")
        else:
            lines[row] = lines[row][:3] + b"\x00" + lines[row][3:]
        path.write_bytes(b"\n".join(lines))

    draft.after.append(change)
    return f"{table}.csv: {how!r}"


def column_names(draft: Draft) -> str:
    table = draft.table(*NEEDED)
    frame = draft.tables[table]
    old = str(draft.rng.choice(list(frame.columns)))
    how = str(draft.rng.choice(["renamed", "upper case", "missing", "twice", "spaces", "empty"]))
    draft.kinds[table] = str(draft.rng.choice(["csv", "parquet"]))
    if how == "upper case":
        draft.tables[table] = frame.rename(columns=str.upper)
    elif how == "spaces":
        draft.tables[table] = frame.rename(columns={old: f" {old} "})
    elif how == "missing":
        draft.tables[table] = frame.drop(columns=[old])
    elif how == "twice":
        other = str(draft.rng.choice(list(frame.columns)))
        draft.tables[table] = frame.rename(columns={other: old.upper() if draft.rng.random() < 0.5 else old})
    else:
        draft.tables[table] = frame.rename(columns={old: "" if how == "empty" else f"{old}x"})
    return f"{table}: {old} {how}"


def column_order(draft: Draft) -> str:
    for table, frame in draft.tables.items():
        order = draft.rng.permutation(frame.shape[1])
        draft.tables[table] = frame.iloc[:, order]
        draft.kinds[table] = str(draft.rng.choice(["csv", "parquet"]))
    return "columns in another order everywhere"


def extra_columns(draft: Draft) -> str:
    table = draft.table()
    names = [
        "_file",
        "_row",
        "_path",
        "file_row_number",
        "person_key",
        "month",
        "select",
        "a b",
        'q"q',
        "é",
        "x" * 300,
    ]
    names += ["allowed_cents", "filename", "arm", "=1+1", "diagnosis_code_26", "diagnosis_code_007", "rowid"]
    chosen = [str(n) for n in draft.rng.choice(names, size=3, replace=False)]
    frame = draft.tables[table]
    draft.tables[table] = frame.assign(**{n: "more" for n in chosen if n not in frame})
    draft.kinds[table] = str(draft.rng.choice(["csv", "parquet"]))
    return f"{table}: more columns {', '.join(c[:20] for c in chosen)}"


def without_rows(draft: Draft) -> str:
    table = draft.table()
    draft.kinds[table] = str(draft.rng.choice(["csv", "parquet"]))
    frame = draft.tables[table]
    left = int(draft.rng.choice([0, 0, 1, 2]))
    draft.tables[table] = frame.iloc[:left]
    if left == 0 and draft.kinds[table] == "parquet":
        return f"{table} without rows, columns without types"
    return f"{table} with {left} rows"


def _written(folder: Path, table: str) -> Path:
    """The table's file, in the format that it was written in."""
    text = folder / f"{table}.csv"
    return text if text.exists() else folder / f"{table}.parquet"


def without_file(draft: Draft) -> str:
    table = draft.table()
    draft.after.append(lambda folder: _written(folder, table).unlink(missing_ok=True))
    return f"no {table}"


def parts(draft: Draft) -> str:
    table = draft.table(*NEEDED)
    how = str(
        draft.rng.choice(["sound", "other types", "one empty", "two kinds", "file and folder", "no parts"])
    )
    frame = draft.tables[table]
    half = max(1, len(frame) // 2)

    def change(folder: Path) -> None:
        if how != "file and folder":
            _written(folder, table).unlink()
        (folder / table).mkdir()
        if how == "no parts":
            (folder / table / "readme.txt").write_text("nothing here")
            return
        first, second = frame.iloc[:half], frame.iloc[half:]
        pq.write_table(as_arrow(first), folder / table / "a.parquet")
        if how == "two kinds":
            (folder / table / "b.csv").write_bytes(as_csv(second))
        elif how == "one empty":
            (folder / table / "b.parquet").write_bytes(b"")
        elif how == "other types":
            pq.write_table(as_arrow(second.astype(str)), folder / table / "b.parquet")
        else:
            pq.write_table(as_arrow(second), folder / table / "b.parquet")

    draft.after.append(change)
    return f"{table}/ of parts: {how}"


def wrong_things(draft: Draft) -> str:
    table = draft.table(*NEEDED)
    how = str(draft.rng.choice(["folder", "text as parquet", "parquet as csv", "broken link", "both", "zip"]))

    def change(folder: Path) -> None:
        path = _written(folder, table)
        content = path.read_bytes()
        if how == "both":
            (folder / f"{table}.csv").write_bytes(as_csv(draft.tables[table]))
            return
        path.unlink()
        if how == "folder":
            path.mkdir()
        elif how == "text as parquet":
            path.write_bytes(as_csv(draft.tables[table]))
        elif how == "broken link":
            path.symlink_to(folder / "nowhere.parquet")
        elif how == "zip":
            (folder / f"{table}.csv.gz").write_bytes(b"PK\x03\x04" + content)
        else:
            (folder / f"{table}.csv").write_bytes(content)

    draft.after.append(change)
    return f"{table}: {how}"


def no_folder(draft: Draft) -> str:
    def change(folder: Path) -> None:
        for path in folder.iterdir():
            if path.name != "study.toml":
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    draft.after.append(change)
    return "a folder without tables"


def one_arm_empty(draft: Draft) -> str:
    arm = str(draft.rng.choice(["program", "comparison"]))
    roster, practices = draft.tables["program_roster"], draft.tables["provider_practice"]
    sites = set(roster["unit_id"][roster["arm"] == arm])
    clinicians = set(practices["npi"][practices["practice_id"].isin(sites)])
    claims = draft.tables["medical_claim"]
    people = set(claims["person_id"][claims["rendering_npi"].isin(clinicians)])
    how = str(draft.rng.choice(["roster", "practices", "visits", "people", "cost"]))
    if how == "roster":
        draft.keep("program_roster", roster["arm"] != arm)
    elif how == "practices":
        draft.keep("provider_practice", ~practices["practice_id"].isin(sites))
    elif how == "visits":
        draft.keep("medical_claim", ~claims["rendering_npi"].isin(clinicians))
    elif how == "people":
        draft.keep("eligibility", ~draft.tables["eligibility"]["person_id"].isin(people))
    else:
        for table in ("medical_claim", "pharmacy_claim"):
            frame = draft.tables[table]
            of_arm = [i for i, p in enumerate(frame["person_id"]) if p in people]
            draft.put(table, "allowed_amount", of_arm, [0.0])
            draft.put(table, "paid_amount", of_arm, [0.0])
    return f"{arm}: no {how}"


def few_units(draft: Draft) -> str:
    how = str(
        draft.rng.choice(["two practices", "one person", "ten people", "one organisation", "one clinician"])
    )
    if how in ("one person", "ten people"):
        people = sorted(set(draft.tables["eligibility"]["person_id"]))[: 1 if how == "one person" else 10]
        for table in ("eligibility", "medical_claim", "pharmacy_claim"):
            draft.keep(table, draft.tables[table]["person_id"].isin(people))
    elif how == "two practices":
        roster = draft.tables["program_roster"]
        first = roster.groupby("arm", sort=False).head(1).index
        draft.keep("program_roster", roster.index.isin(first))
    else:
        column = "organization_id" if how == "one organisation" else "npi"
        frame = draft.tables["provider_practice"]
        draft.put("provider_practice", column, list(range(len(frame))), [frame[column][0]])
    return how


def months_missing(draft: Draft) -> str:
    table = draft.table("medical_claim", "pharmacy_claim")
    column = "claim_start_date" if table == "medical_claim" else "dispensing_date"
    first, last = sorted(
        draft.rng.choice(["2007-06", "2008-06", "2008-11", "2008-12", "2009-06", "2010-01"], size=2)
    )
    months = [f"{day:%Y-%m}" if day else "" for day in draft.tables[table][column]]
    draft.keep(table, [not first <= m < last for m in months])
    return f"{table} without {first} up to {last}"


def all_csv(draft: Draft) -> str:
    draft.kinds |= dict.fromkeys(draft.tables, "csv")
    shuffled = {}
    for table, frame in draft.tables.items():
        shuffled[table] = frame.iloc[draft.rng.permutation(len(frame))]
    draft.tables = {t: pd.DataFrame(f).reset_index(drop=True) for t, f in shuffled.items()}
    return "everything as CSV, rows in another order"


KINDS = (
    encodings,
    truncated,
    broken_bytes,
    wrong_delimiter,
    line_ends,
    column_names,
    column_order,
    extra_columns,
    without_rows,
    without_file,
    parts,
    wrong_things,
    no_folder,
    one_arm_empty,
    few_units,
    months_missing,
    all_csv,
)
