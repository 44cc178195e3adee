"""The command line: results on standard output, messages and progress on standard error."""

from __future__ import annotations

import errno
import gc
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from medhome import (
    cli_cost_model,
    cli_lists,
    cli_panels,
    cli_payment,
    cli_person_years,
    cli_reports,
    cli_validation,
)
from medhome.cli_reports import show
from medhome.study.problems import MedhomeError

EXIT_CODES = """Exit codes: 0 done (verify: all numbers agree) · 1 a notebook or a model failed or refused ·
2 usage or study file · 3 ran, but numbers differ (status: stale;
doctor: not as locked) · 4 input data not as described ·
5 disclosure refused · 130 interrupted"""

INTERRUPTED = 130

SETTINGS = """Settings: MEDHOME_MEMORY_LIMIT (2GB) is what the engine may take of memory; it puts the rest
aside where TMPDIR says. Neither moves a number."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""A full disk, a quota that is used up, a limit of a file's size."""

_NO_WAY = (
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG),
    *(errno.EACCES, errno.EPERM, errno.EROFS),
)
"""A place that is something else, or that may not be used."""

app = typer.Typer(
    name="medhome",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog=f"{EXIT_CODES}\n\n{SETTINGS}",
    help="Did a care program change what care cost, compared with what would have been expected?",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Study = Annotated[Path, typer.Argument(help="the study file (TOML)", show_default=False)]
Data = Annotated[
    Path,
    typer.Option("--data", envvar="MEDHOME_DATA", help="folder of the input tables", show_default=False),
]
Through = Annotated[
    str | None,
    typer.Option(
        "--through",
        envvar="MEDHOME_THROUGH",
        metavar="YYYY-MM",
        help="the same design with a new data period that ends with this month",
    ),
]
Out = Annotated[
    Path,
    typer.Option(
        "--out", envvar="MEDHOME_OUT", help="folder for reports: what is written goes to OUT/<study>/"
    ),
]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        envvar="MEDHOME_ENGINE",
        help="what sums the claims: duckdb, datafusion or spark; the same numbers",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="print the result as JSON")]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version as installed

        print(f"medhome {installed('medhome')}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    pass


@app.command(epilog="Example:  medhome init my-study")
def init(
    folder: Annotated[Path, typer.Argument(help="folder to make", show_default=False)], json: Json = False
) -> None:
    """Write a commented study file and a data dictionary into a new folder."""
    from medhome import runs

    written = runs.init(folder)
    show(json, {"written": [str(p) for p in written]}, "\n".join(str(p) for p in written))


def _list_worlds(asked: bool) -> None:
    if asked:
        from medhome import runs

        typer.echo("\n".join(f"{name:9} {title}" for name, title in runs.worlds().items()))
        raise typer.Exit


@app.command(
    epilog="Example:  medhome simulate data/demo --world demo\n\n"
    "          medhome simulate data/small --world small --seed 7\n\n"
    "          medhome simulate data/edge-04 --world edge-04"
    "          medhome simulate data/early --world small --paid-through 2010-04"
)
def simulate(
    folder: Annotated[Path, typer.Argument(help="folder to write", show_default=False)],
    world: Annotated[
        str, typer.Option("--world", help="name of the world: demo, small, edge-01 (--list names all)")
    ] = "small",
    seed: Annotated[int | None, typer.Option("--seed", help="another seed than the world's own")] = None,
    effect_pmpm: Annotated[
        float | None,
        typer.Option("--effect-pmpm", help="injected effect in dollars PMPM (negative = cost less)"),
    ] = None,
    paid_through: Annotated[
        str | None,
        typer.Option("--paid-through", metavar="YYYY-MM", help="an earlier extract: no claim paid later"),
    ] = None,
    json: Json = False,
    listed: Annotated[
        bool,
        typer.Option("--list", help="name the worlds and stop", callback=_list_worlds, is_eager=True),
    ] = False,
) -> None:
    """Write a simulated world of claims with a known truth, and a study file that fits it."""
    from medhome import runs

    truth = runs.simulate(folder, world, seed=seed, effect_pmpm=effect_pmpm, paid_through=paid_through)
    show(
        json,
        {"folder": str(folder), "study": str(folder / "study.toml"), "truth": truth},
        f"{folder / 'study.toml'}",
    )


@app.command(epilog="Example:  medhome check analysis/studies/demo.toml --data data/demo")
def check(
    study: Study,
    data: Data,
    out: Out = Path("reports"),
    through: Through = None,
    engine: EngineName = "duckdb",
    json: Json = False,
) -> None:
    """Check the study file and the input tables, and write a data-quality page; nothing is estimated."""
    from medhome import runs
    from medhome.reporting.check_text import orphans_as_text, rules_as_text

    found = runs.check(study, data, out, through=through, progress=_progress(), engine=engine)
    plain = {
        "study": str(study),
        "page": str(found.page),
        "rules": found.rules.to_dict("records"),
        "orphans": found.orphans.to_dict("records"),
    }
    show(
        json,
        plain,
        f"{rules_as_text(found.rules)}\n{orphans_as_text(found.orphans)}\n{found.page}",
    )


@app.command(
    epilog="Examples:  medhome run analysis/studies/demo.toml --data data/demo\n\n"
    "           medhome run analysis/studies/demo.toml --data data/demo --through 2009-12"
)
def run(
    study: Study,
    data: Data,
    out: Out = Path("reports"),
    through: Through = None,
    jobs: cli_reports.Jobs = 2,
    timeout: cli_reports.Timeout = 600,
    engine: EngineName = "duckdb",
    force: Annotated[bool, typer.Option("--force", help="make it anew though nothing changed")] = False,
    json: Json = False,
) -> None:
    """Claims in, report out: evaluate the study and write its HTML pages, results and manifest."""
    _fixed_environment()
    from medhome import runs
    from medhome.study.as_run import changed_since_lock, study_through

    if changed := changed_since_lock(study, study_through(study, through)):
        print(
            f"medhome: {study}: not as it was locked: {', '.join(changed)}; the report lists this as an "
            "amendment that was not locked (medhome lock --reason locks it)",
            file=sys.stderr,
        )
    published = runs.run(
        study,
        data,
        out,
        through=through,
        jobs=jobs,
        timeout=timeout,
        progress=_progress(),
        engine=engine,
        force=force,
    )
    show(
        json,
        {
            "report": str(published.folder),
            "index": str(published.folder / "index.html"),
            "run_id": published.run_id,
            "headline": published.headline,
            "unchanged": published.unchanged,
        },
        str(published.folder / "index.html"),
    )


@app.command(epilog="Example:  medhome restated reports/demo/2009-12 reports/demo/2010-03")
def restated(
    old: Annotated[Path, typer.Argument(help="folder of the earlier report", show_default=False)],
    new: Annotated[Path, typer.Argument(help="folder of the later report", show_default=False)],
    json: Json = False,
) -> None:
    """Months of an earlier report that a later one restates, each with its cause."""
    from medhome import runs

    found = runs.compare_periods(old, new)
    show(json, found.to_plain(), found.to_text())


app.command(
    epilog="Example:  medhome did counties.csv --outcome employment --unit county --time year "
    "--first-treated raised --estimator callaway-santanna\n\n"
    "Estimators: did2x2, twfe, event-study, callaway-santanna, sun-abraham, imputation, two-stage, etwfe, "
    "synthetic-did, bacon, ppml, triple-difference (docs/panels.md)"
)(cli_panels.did)
app.command(
    epilog="Example:  medhome validate --data shared/data --out reports\n\n"
    "docs/reference-data.md says where the public data come from."
)(cli_validation.validate)
app.command(
    name="cost-model",
    epilog="Example:  medhome cost-model members.csv --outcome cost_pmpm --covariates age,sex,program "
    "--family two-part --weights months --cluster practice --recycle program --json\n\n"
    "What each test means: docs/methods/cost-models.md",
)(cli_cost_model.cost_model)
app.command(
    name="person-years",
    epilog="Examples:  medhome person-years beneficiaries.parquet --source synpuf --out reports\n\n"
    "           medhome person-years members.csv --person id --year year --cost paid --covariates age,ill\n\n"
    "What R2 means: docs/methods/risk-scores.md",
)(cli_person_years.person_years)
app.command(
    epilog="Examples:  medhome settle commercial-example\n\n"
    "           medhome settle mssp-2018 aco_2018.csv.gz --csv settled.csv\n\n"
    "           medhome settle contract.toml contracts.csv --json\n\n"
    "What the terms mean and how to write them: docs/methods/payment.md"
)(cli_payment.settle)
app.command(
    epilog="Examples:  medhome power study.toml\n\n"
    "           medhome power study.toml --data data/demo --practices 10,25,50,100 --effect-pmpm 10\n\n"
    "Assumptions, formula and how to read the curves: docs/power.md"
)(cli_payment.power)


cli_lists.register(app, lambda: _fixed_environment())
cli_reports.register(app, lambda: _fixed_environment())


def main() -> None:
    """Entry point of the command ``medhome``."""
    # A query is thousands of small objects that live on together: to look through all of them after every
    # seven hundred new ones is a tenth of the time that the tables take.
    gc.set_threshold(200_000, 20, 50)
    try:
        app()
    except MedhomeError as problem:
        print(f"medhome: {problem}", file=sys.stderr)
        sys.exit(problem.exit_code)
    except (KeyboardInterrupt, SystemExit) as end:  # typer turns Ctrl-C inside a command into an exit
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        print("medhome: interrupted; earlier reports are untouched", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except MemoryError:
        print(
            "medhome: this machine's memory is used up; nothing was published, earlier reports are "
            "untouched: close other programs, or run it on a machine with more",
            file=sys.stderr,
        )
        sys.exit(1)
    except OSError as problem:
        if problem.errno in _NO_WAY and problem.filename:
            print(
                f"medhome: {problem.filename}: cannot be read or written ({problem.strerror}); name another "
                "place",
                file=sys.stderr,
            )
            sys.exit(2)
        if problem.errno not in _NO_ROOM:
            raise
        where = f" {problem.filename}" if problem.filename else ""
        print(
            f"medhome: no room to write{where} ({problem.strerror}); nothing was published, earlier reports "
            "are untouched",
            file=sys.stderr,
        )
        sys.exit(1)


def _fixed_environment() -> None:
    """Start this command again with the environment that makes its bytes repeatable.

    Setting a hash seed in a running process does nothing, so the process is replaced once.
    """
    from medhome.study.provenance import FIXED_ENVIRONMENT

    if all(os.environ.get(k) == v for k, v in FIXED_ENVIRONMENT.items()):
        return
    environment = {**os.environ, **FIXED_ENVIRONMENT}
    command = [sys.executable, "-m", "medhome", *sys.argv[1:]]
    if os.name == "posix":
        sys.stdout.flush()
        sys.stderr.flush()
        os.execve(sys.executable, command, environment)
    import subprocess

    sys.exit(subprocess.run(command, env=environment).returncode)


def _progress() -> Any:
    from medhome.progress import terminal_or_lines

    return terminal_or_lines(sys.stderr)


if __name__ == "__main__":
    main()
