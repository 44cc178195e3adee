"""The command line's manners: help, JSON, exit codes, what wins over what, and colours only where wanted."""

from __future__ import annotations

import errno
import io
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer.main
from typer.testing import CliRunner

from medhome import runs
from medhome.cli import app, main
from medhome.progress import terminal_or_lines
from medhome.study import problems
from medhome.study.as_run import study_through

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
DEMO = Path(__file__).resolve().parents[1] / "analysis" / "studies" / "demo.toml"


@pytest.fixture
def seen(monkeypatch):
    """What `medhome run` was asked for, with the data period that the study then has."""
    found: dict[str, object] = {}

    def run(study, data, out, *, through, **settings):
        period = study_through(study, through).periods.through
        found.update(data=str(data), out=str(out), through=period, **settings)
        return runs.Published(folder=Path("there"), run_id="r", headline={})

    monkeypatch.setattr(runs, "run", run)
    monkeypatch.setattr("medhome.cli._fixed_environment", lambda: None)
    for name in ("DATA", "OUT", "THROUGH", "JOBS", "TIMEOUT", "ENGINE"):
        monkeypatch.delenv(f"MEDHOME_{name}", raising=False)
    return found


def asked(*words: object, code: int = 0):
    done = CliRunner().invoke(app, [str(w) for w in words])
    assert done.exit_code == code, done.output
    return done


def test_command_line_wins_over_environment_over_study_file_over_default(seen, monkeypatch):
    asked("run", DEMO, "--data", "a")
    assert (seen["data"], seen["out"], seen["through"]) == ("a", "reports", "2010-03")
    assert (seen["jobs"], seen["timeout"], seen["engine"]) == (2, 600, "duckdb")
    for name, value in {"DATA": "b", "OUT": "o", "THROUGH": "2009-12", "JOBS": "4", "TIMEOUT": "9",
                        "ENGINE": "datafusion"}.items():  # fmt: skip
        monkeypatch.setenv(f"MEDHOME_{name}", value)
    asked("run", DEMO)
    assert (seen["data"], seen["out"], seen["through"]) == ("b", "o", "2009-12")
    assert (seen["jobs"], seen["timeout"], seen["engine"]) == (4, 9, "datafusion")
    asked("run", DEMO, "--data", "c", "--out", "p", "--through", "2009-06", "--jobs", 3, "--timeout", 8,
          "--engine", "duckdb")  # fmt: skip
    assert (seen["data"], seen["out"], seen["through"]) == ("c", "p", "2009-06")
    assert (seen["jobs"], seen["timeout"], seen["engine"]) == (3, 8, "duckdb")


def test_a_bad_value_of_the_environment_is_named(seen, monkeypatch):
    monkeypatch.setenv("MEDHOME_JOBS", "many")
    done = asked("run", DEMO, "--data", "a", code=2)
    assert "MEDHOME_JOBS" in done.output and not seen


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_and_prints_json(name):
    said = asked(name, "--help").output
    assert "Example" in said and f"medhome {name}" in said
    assert "--json" in said
    assert (COMMANDS[name].help or "").strip()


def test_help_tells_every_exit_code():
    said = " ".join(asked("--help").output.split())
    codes = {kind.exit_code for kind in vars(problems).values() if hasattr(kind, "exit_code")}
    assert codes == {1, 2, 3, 4, 5}
    for code in (0, *sorted(codes), 130):
        assert f"{code} " in said.partition("Exit codes:")[2], code
    assert "MEDHOME_MEMORY_LIMIT" in said


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("no_color", "colours"), [("1", False), (None, True)])
def test_progress_moves_on_a_terminal_and_is_grey_only_where_colours_are_wanted(
    monkeypatch, no_color, colours
):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    screen = Screen()
    tell = terminal_or_lines(screen)
    tell("01-findings", 1, 12)
    tell("01-findings", 12, 12)
    said = screen.getvalue()
    assert "01-findings: cell 1 of 12" in said and "01-findings: 12 cells" in said and "\r" in said
    assert ("\x1b[2m" in said) is colours


def test_elsewhere_progress_is_a_line_for_each_stage_that_ended():
    stream = io.StringIO()
    tell = terminal_or_lines(stream)
    for done in range(13):
        tell("01-findings", done, 12)
    tell("pages written", 0, 0)
    assert stream.getvalue() == "medhome: 01-findings, 12 cells\nmedhome: pages written\n"


def test_json_is_what_every_program_can_read(monkeypatch, tmp_path):
    """A share that is not known is null: NaN, which Python writes by itself, is no JSON."""
    shares = {"count": [np.int64(3), np.int64(0)], "share": [0.5, np.nan]}
    rules = pd.DataFrame({"rule": ["a", "b"], **shares, "note": [pd.NA, "x"]})
    orphans = pd.DataFrame({"arm": ["treated"], "allowed_usd": [np.inf]})
    found = runs.Checked(rules=rules, page=tmp_path / "page.html", orphans=orphans)
    monkeypatch.setattr(runs, "check", lambda *_, **__: found)
    monkeypatch.setattr("medhome.reporting.check_text.rules_as_text", lambda _: "")
    monkeypatch.setattr("medhome.reporting.check_text.orphans_as_text", lambda _: "")
    said = json.loads(asked("check", DEMO, "--data", "a", "--json").stdout, parse_constant=pytest.fail)
    assert said["rules"] == [
        {"rule": "a", "count": 3, "share": 0.5, "note": None},
        {"rule": "b", "count": 0, "share": None, "note": "x"},
    ]
    assert said["orphans"] == [{"arm": "treated", "allowed_usd": None}]
    assert said["page"] == str(tmp_path / "page.html")


@pytest.mark.parametrize(
    ("problem", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted; earlier reports are untouched"),
        (MemoryError(), 1, "memory is used up; nothing was published"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "x.html"), 1, "no room to write x.html"),
        (problems.DataProblem("claims.csv: no date"), 4, "claims.csv: no date"),
        (problems.DisclosureRefused("too small"), 5, "too small"),
    ],
)
def test_how_a_command_ends(seen, monkeypatch, capsys, problem, code, words):
    def raises(*_, **__):
        raise problem

    monkeypatch.setattr(runs, "run", raises)
    monkeypatch.setattr(sys, "argv", ["medhome", "run", str(DEMO), "--data", "a"])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr()
    assert end.value.code == code and said.out == ""
    assert said.err.startswith("medhome: ") and words in said.err and said.err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("init", "file"),
        ("schema", "--out", "file/study.schema.json"),
        ("simulate", "file", "--world", "edge-01"),
        ("run", DEMO, "--data", "data", "--out", "file"),
    ],
    ids=lambda words: words[0],
)
def test_a_place_that_is_something_else_is_named_without_a_traceback(monkeypatch, capsys, tmp_path, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("medhome.cli._fixed_environment", lambda: None)
    Path("file").write_text("x")
    Path("data").mkdir()
    monkeypatch.setattr(sys, "argv", ["medhome", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr().err
    assert end.value.code == 2 and said.count("\n") == 1
    assert said.startswith("medhome: file") and "cannot be read or written" in said
    assert Path("file").read_text() == "x"
