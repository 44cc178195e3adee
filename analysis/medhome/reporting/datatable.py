"""One small table function: a frame becomes an HTML table and a CSV link.

A table has a caption, headers with scope and unit, a note, and its data in a link. Withheld cells show one
symbol, whatever the reason they were withheld for.
"""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from medhome.reporting.blocks import Block, escape, prose
from medhome.reporting.exhibit_numbers import numbered
from medhome.study.display import NOT_APPLICABLE, WITHHELD, absent, interval, month_short

SIGNIFICANT_DIGITS = 10
"""Numbers in CSV: the last digits of a double differ between machines, the first ten do not."""

MANY_COLUMNS = 6
"""From here on a table is set smaller and closer, so that a page holds it."""

PARTED_INTERVALS = 9
"""From here on an interval may stand on two lines."""

Writer = Callable[[Any], str]
Row = Mapping[str, Any]


def words(value: Any) -> str:
    """Text as it is."""
    return NOT_APPLICABLE if absent(value) else str(value)


@dataclass(frozen=True)
class Column:
    """One column: its name in the frame, its header, its unit, and how a value is written.

    With ``upper`` the column is an interval from ``name`` to ``upper``. ``raw`` writes a value for CSV.
    ``by_row`` writes the cell from its whole row, where rows have units of their own. ``beneath`` is a
    column that stands in small print under this one. ``link`` names a column with the address that the cell
    links to. A column that is ``seldom`` filled is left out of a page where no row fills it.
    """

    name: str
    label: str
    write: Writer = words
    unit: str = ""
    upper: str = ""
    raw: Writer | None = None
    by_row: Callable[[Row], str] | None = None
    beneath: Column | None = None
    link: str = ""
    seldom: bool = False

    @property
    def numeric(self) -> bool:
        """Whether the column is set flush right."""
        return self.write not in (words, month_short)


@dataclass(frozen=True, kw_only=True)
class DataTable:
    """A table before it becomes HTML or CSV.

    Arguments
        id: its name in the page and of its CSV file.
        frame: the rows in order; only the columns named in ``columns`` are shown or downloaded.
        columns: the first one names the row.
        counts, resting: which columns hold counts of people, and which rest on them: an absent value there
            was withheld (in ``resting``, when a count in its row was). Where that is known cell by cell, the
            frame says so in a column of the same name with ``_withheld`` at its end.
        muted: rows in grey (their words say why, too). strong: rows in bold.
    """

    id: str
    caption: str
    columns: Sequence[Column]
    frame: pd.DataFrame
    note: str = ""
    counts: Sequence[str] = ()
    resting: Sequence[str] = ()
    muted: Sequence[bool] = ()
    strong: Sequence[bool] = ()

    @property
    def heading(self) -> str:
        """The caption, after the exhibit's number where it has one."""
        return numbered(self.id, self.caption)

    def cells(self) -> list[list[str]]:
        """Every cell as text."""
        return [["; ".join(self._texts(row, column)) for column in self.columns] for row in self.rows()]

    def csv(self) -> str:
        """Its data: ten significant digits, "withheld" where withheld, safe to open in a spreadsheet."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        every = [c for column in self.columns for c in (column, column.beneath) if c is not None]
        names = [n for c in every for n in (c.name, c.upper) if n]
        raw = {n: c.raw for c in every for n in (c.name, c.upper)}
        writer.writerow(names)
        for row in self.rows():
            writer.writerow(
                ["withheld" if self.is_withheld(row, n) else csv_cell(row[n], raw.get(n)) for n in names]
            )
        return out.getvalue()

    def html(self) -> str:
        """The table's markup, in a box of its own that scrolls where the page is narrow."""
        columns = self._filled()
        head = "".join(
            f'<th scope="col"{_right(c) if i else ""}>{escape(c.label)}{_unit(c)}</th>'
            for i, c in enumerate(columns)
        )
        body = []
        for i, row in enumerate(self.rows()):
            first, *rest = [(c, self._markup(row, c)) for c in columns]
            css = " ".join(
                k
                for k, on in (("muted", self._flag(self.muted, i)), ("strong", self._flag(self.strong, i)))
                if on
            )
            tds = "".join(f"<td{_right(c)}>{text}</td>" for c, text in rest)
            mark = f' class="{css}"' if css else ""
            body.append(f'<tr{mark}><th scope="row">{first[1]}</th>{tds}</tr>')
        caption = f"<caption><span>{prose(self.heading)}</span></caption>"
        table = (
            f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(self.heading)}">'
            f"<table{_dense(len(columns))}>{caption}<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
        )
        lines = [line for line in self.full_note().split("\n") if line]
        return table + "".join(f'<p class="tnote">{prose(line)}</p>' for line in lines)

    def full_note(self) -> str:
        """The note, with the meaning of the withheld symbol where it occurs."""
        shown = any(WITHHELD in text for row in self.cells() for text in row)
        meaning = (
            f"{WITHHELD} withheld, so that no small number of people can be read or worked out."
            if shown
            else ""
        )
        return "\n".join(t for t in (self.note, meaning) if t)

    def block(self) -> Block:
        """The table as a part of a page, with its CSV."""
        link = csv_link(self)
        return Block(
            html=f'<div class="tbl" id="{escape(self.id)}">{self.html()}<div class="dl">{link}</div></div>',
            text=self.plain(),
        )

    def plain(self) -> str:
        """The table as aligned text."""
        rows = [[c.label for c in self.columns], *self.cells()]
        widths = [max(len(r[i]) for r in rows) for i in range(len(self.columns))]
        lines = [
            "  ".join(
                t.ljust(w) if i == 0 or not self.columns[i].numeric else t.rjust(w)
                for i, (t, w) in enumerate(zip(r, widths, strict=True))
            ).rstrip()
            for r in rows
        ]
        return "\n".join(t for t in (self.heading, *lines, self.full_note()) if t)

    def rows(self) -> list[dict[str, Any]]:
        """The rows as dictionaries."""
        return records(self.frame)

    def is_withheld(self, row: Row, name: str) -> bool:
        """Whether a cell is absent because it was withheld."""
        if f"{name}_withheld" in row:
            return bool(row[f"{name}_withheld"])
        if not absent(row[name]):
            return False
        return name in self.counts or (
            name in self.resting and any(absent(row[c]) for c in self.counts if c in row)
        )

    def _filled(self) -> list[Column]:
        """The columns that a page shows."""
        rows = self.rows()
        return [c for c in self.columns if not c.seldom or any(self._text(row, c) for row in rows)]

    def _texts(self, row: Row, column: Column) -> list[str]:
        return [self._text(row, c) for c in (column, column.beneath) if c is not None]

    def _markup(self, row: Row, column: Column) -> str:
        written = escape if column.numeric else prose
        text, *small = self._texts(row, column)
        target = str(row[column.link]) if column.link else ""
        shown = f'<a href="{escape(target)}">{written(text)}</a>' if target else written(text)
        if column.upper and len(self.columns) >= PARTED_INTERVALS:
            shown = shown.replace(" to ", " <wbr>to ", 1)  # where a narrow column may part an interval
        whole = " nb" if column.beneath is not None and column.beneath.upper else ""
        return shown + "".join(f'<span class="u{whole}">{prose(t)}</span>' for t in small)

    def _text(self, row: Row, column: Column) -> str:
        if self.is_withheld(row, column.name):
            return WITHHELD
        if column.by_row is not None:
            return column.by_row(row)
        if column.upper:
            return interval(row[column.name], row[column.upper], column.write)
        return column.write(row[column.name])

    def _flag(self, flags: Sequence[bool], i: int) -> bool:
        return bool(flags[i]) if i < len(flags) else False


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as dictionaries."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def csv_link(table: DataTable) -> str:
    """A link that holds the table's data."""
    data = base64.b64encode(table.csv().encode("utf-8")).decode("ascii")
    return (
        f'<a download="{escape(table.id)}.csv" href="data:text/csv;charset=utf-8;base64,{data}" '
        f'aria-label="CSV of {escape(table.caption)}">CSV</a>'
    )


def csv_cell(value: Any, raw: Writer | None = None) -> str:
    """One value for a CSV file; text that a spreadsheet would run as a formula gets an apostrophe in front.

    >>> csv_cell(-1.23456789012345), csv_cell("=1+1"), csv_cell(None)
    ('-1.23456789', "'=1+1", '')
    """
    if absent(value):
        return ""
    if raw is not None:
        return raw(value)
    if isinstance(value, bool) or type(value).__name__ == "bool_":
        return "true" if value else "false"
    if isinstance(value, int) or hasattr(value, "__index__"):
        return str(int(value))
    if isinstance(value, float):
        return f"{value:.{SIGNIFICANT_DIGITS}g}"
    text = str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _right(column: Column) -> str:
    return ' class="num"' if column.numeric else ""


def _dense(columns: int) -> str:
    return ' class="dense"' if columns >= MANY_COLUMNS else ""


def _unit(column: Column) -> str:
    small = [w for w in (column.unit, column.beneath.label if column.beneath else "") if w]
    unit = escape("; ".join(small)).replace("$ P", "$\N{NO-BREAK SPACE}P")
    return f'<span class="u">{unit}</span>' if small else ""
