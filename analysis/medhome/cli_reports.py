"""The commands about reports that exist (standing, comparison, drawing again), environment and schema."""

from __future__ import annotations

import json as jsonlib
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

Report = Annotated[Path, typer.Argument(help="a report's folder", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="print the result as JSON")]
Jobs = Annotated[
    int,
    typer.Option("--jobs", envvar="MEDHOME_JOBS", min=1, max=16, help="notebooks run side by side"),
]
Timeout = Annotated[
    int,
    typer.Option("--timeout", envvar="MEDHOME_TIMEOUT", min=1, help="seconds that one cell may take"),
]


def register(app: typer.Typer, fixed_environment: Callable[[], None]) -> None:
    """Add these commands to the command line.

    Arguments
        app: the command line.
        fixed_environment: starts a command again in the environment in which reports are made.
    """

    @app.command(
        epilog="Examples:  medhome schema --out study.schema.json\n\n"
        "           medhome schema results\n\n"
        "The study file's first line for editors:  #:schema ./study.schema.json"
    )
    def schema(
        of: Annotated[str, typer.Argument(help="study, results or manifest")] = "study",
        out: Annotated[Path | None, typer.Option("--out", help="write it there", show_default=False)] = None,
        json: Json = False,
    ) -> None:
        """JSON Schema of the study file, of results.json or of manifest.json: keys and what they hold."""
        from medhome.reporting.file_schemas import FILES, file_schema
        from medhome.study.schema import study_schema

        if of not in ("study", *FILES):
            raise typer.BadParameter(f"{of!r}: there are schemas of study, {' and '.join(FILES)}")
        made = study_schema() if of == "study" else file_schema(of)
        text = jsonlib.dumps(made, indent=2, sort_keys=True, ensure_ascii=False)
        if out is None:
            print(text)
        else:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(text + "\n", encoding="utf-8", newline="\n")
            show(json, {"schema": str(out)}, str(out))

    @app.command(
        epilog="Examples:  medhome verify reports/demo/2010-03 --data data/demo\n\n"
        "           medhome verify reports/demo/2010-03 --manifest-only --out verification\n\n"
        "           medhome verify reports/demo/2010-03 --synthetic\n\n"
        "Ends with 0 when every number agrees, 3 when one differs, is missing or new, or a file was altered."
    )
    def verify(
        report: Report,
        data: Annotated[
            Path | None, typer.Option("--data", help="folder of the input tables", show_default=False)
        ] = None,
        manifest_only: Annotated[
            bool, typer.Option("--manifest-only", help="without the data: do the report's files agree?")
        ] = False,
        synthetic: Annotated[
            bool, typer.Option("--synthetic", help="on the simulated world of the study's name, written anew")
        ] = False,
        out: Annotated[
            Path | None,
            typer.Option("--out", help="also write verification.html and .json there", show_default=False),
        ] = None,
        certificate: Annotated[
            Path | None,
            typer.Option("--certificate", help="also write the text to sign there", show_default=False),
        ] = None,
        json: Json = False,
    ) -> None:
        """Run a published report again: a verdict on every number (same, agrees, differs, missing, new)."""
        if [manifest_only, synthetic, data is not None].count(True) != 1:
            raise typer.BadParameter(
                "name the data with --data, simulate them with --synthetic, or check without: --manifest-only"
            )
        fixed_environment()
        from medhome import reports
        from medhome.progress import terminal_or_lines

        found = reports.verify(
            report,
            data,
            out=out,
            certificate=certificate,
            synthetic=synthetic,
            progress=terminal_or_lines(sys.stderr),
        )
        _print(json, found)
        raise typer.Exit(0 if found.agrees else 3)

    @app.command(
        epilog="Examples:  medhome doctor\n\n           medhome doctor reports/demo/2010-03\n\n"
        "Ends with 0 as locked, 1 when something needed is missing, 3 when something is not as locked or "
        "not as the report was made with."
    )
    def doctor(
        report: Annotated[
            Path | None, typer.Argument(help="a report's folder, to compare with", show_default=False)
        ] = None,
        json: Json = False,
    ) -> None:
        """Is this environment the locked one: Python, packages, engines, browser, fonts?"""
        fixed_environment()
        from medhome import reports

        found = reports.examine(report)
        _print(json, found)
        raise typer.Exit(found.exit_code)

    @app.command(
        epilog="Examples:  medhome lock study.toml --data extract-before-the-start\n\n"
        '           medhome lock study.toml --data extract --reason "the payer changed its cap"'
    )
    def lock(
        study: Annotated[Path, typer.Argument(help="the study file (TOML)", show_default=False)],
        data: Annotated[
            Path | None,
            typer.Option("--data", help="input tables; dates of service alone are read", show_default=False),
        ] = None,
        reason: Annotated[str, typer.Option("--reason", help="why the study was amended")] = "",
        json: Json = False,
    ) -> None:
        """Lock the study file before outcomes are read, or lock an amendment; the report prints both."""
        from medhome import reports
        from medhome.reporting.protocol_words import locked_in_words

        made = reports.lock(study, data, reason)
        path = str(study.with_name(f"{study.stem}.lock.json"))
        plain = {"lock": path, "entry": made.number, "when": made.when, "latest": made.latest_incurred}
        plain |= {"commit": made.commit, "study_sha256": made.study_sha256}
        show(json, plain, f"{path}: entry {made.number}. {locked_in_words(made)}")

    @app.command(
        epilog="Examples:  medhome status reports/demo/2010-03\n\n"
        "           medhome status analysis/studies/demo.toml --data data/demo\n\n"
        "Ends with 0 when everything is current, 3 when something is stale."
    )
    def status(
        target: Annotated[
            Path, typer.Argument(help="a report's folder, or a study file", show_default=False)
        ],
        data: Annotated[
            Path | None,
            typer.Option(
                "--data", envvar="MEDHOME_DATA", help="folder of the input tables", show_default=False
            ),
        ] = None,
        out: Annotated[
            Path, typer.Option("--out", envvar="MEDHOME_OUT", help="where a study's reports lie")
        ] = Path("reports"),
        through: Annotated[
            str | None,
            typer.Option(
                "--through",
                envvar="MEDHOME_THROUGH",
                metavar="YYYY-MM",
                help="another data period of the study",
            ),
        ] = None,
        json: Json = False,
    ) -> None:
        """What of a report is stale and why: study file, inputs, code, environment. Nothing is run."""
        fixed_environment()
        from medhome import reports

        found = reports.status(target, data=data, out=out, through=through)
        _print(json, found)
        raise typer.Exit(3 if found.stale else 0)

    @app.command(
        epilog="Example:  medhome compare reports/demo/2009-12 reports/demo/2010-03 --page compare.html"
    )
    def compare(
        old: Annotated[Path, typer.Argument(help="folder of the earlier report", show_default=False)],
        new: Annotated[Path, typer.Argument(help="folder of the later report", show_default=False)],
        page: Annotated[
            Path | None, typer.Option("--page", help="also write a page there", show_default=False)
        ] = None,
        json: Json = False,
    ) -> None:
        """Which numbers moved between two reports, and what moved them; restated history apart."""
        from medhome import reports

        _print(json, reports.compare(old, new, page))

    @app.command(epilog="Example:  medhome report reports/demo/2010-03")
    def report(
        folder: Report,
        jobs: Jobs = 2,
        timeout: Timeout = 600,
        json: Json = False,
    ) -> None:
        """Draw a report's pages again from its saved results; no data are read, no model is fitted."""
        fixed_environment()
        from medhome import reports
        from medhome.progress import terminal_or_lines

        done = reports.render_again(
            folder, jobs=jobs, timeout=timeout, progress=terminal_or_lines(sys.stderr)
        )
        index = str(done.folder / "index.html")
        show(json, {"report": str(done.folder), "index": index, "run_id": done.run_id}, index)

    @app.command(epilog="Example:  medhome release reports/demo/2010-03 --out reports/released")
    def release(
        folder: Report,
        out: Annotated[
            Path, typer.Option("--out", help="what is released goes to OUT/<study>/<through>/")
        ] = Path("reports/released"),
        data: Annotated[
            Path | None,
            typer.Option("--data", help="input tables, to look for their identifiers", show_default=False),
        ] = None,
        json: Json = False,
    ) -> None:
        """Copy what may be released of a report, after every disclosure audit passed; else refuse (5)."""
        from medhome import reports

        target = reports.release(folder, out, data)
        show(json, {"released": str(target)}, str(target))

    @app.command(
        epilog="Examples:  medhome bundle reports/small/2010-03 --out small.zip --world small --seed 1\n\n"
        "           medhome bundle reports/my-study/2010-03 --out package"
    )
    def bundle(
        folder: Report,
        out: Annotated[
            Path, typer.Option("--out", help="folder, or file ending in .zip", show_default=False)
        ],
        world: Annotated[
            str | None, typer.Option("--world", help="the world that the data are", show_default=False)
        ] = None,
        seed: Annotated[
            int | None, typer.Option("--seed", help="the world's seed, if not its own", show_default=False)
        ] = None,
        json: Json = False,
    ) -> None:
        """Write a replication package that one command reproduces: report, code, lock, README, metadata."""
        fixed_environment()
        from medhome import reports

        made = reports.bundle(folder, out, world=world, seed=seed)
        show(json, {"package": str(made)}, str(made))


def _print(as_json: bool, found: Any) -> None:
    """A result that knows its plain form and its text."""
    show(as_json, found.to_plain(), "" if as_json else found.to_text())


def show(as_json: bool, plain: Any, text: str) -> None:
    """Print a result as JSON that every program can read, or as text."""
    if as_json:
        text = jsonlib.dumps(
            _json_form(plain), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False, default=str
        )
    print(text)


def _json_form(value: Any) -> Any:
    """What a frame holds, as JSON can: null for what is missing or not finite, numbers as numbers."""
    if isinstance(value, Mapping):
        return {key: _json_form(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_form(one) for one in value]
    value = value.item() if hasattr(value, "item") else value
    missing = type(value).__name__ in ("NAType", "NaTType")
    return None if missing or (isinstance(value, float) and not math.isfinite(value)) else value
