"""Every command that the tutorial, the page of a new period and the reviewers' page show is run, as printed.

The small simulated world stands in for a reader's own claims. A command that a page shows and that has no
promise here fails, and so does a promise that no page shows any more. README shows the same commands.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from medhome import cli
from medhome.study.provenance import FIXED_ENVIRONMENT, file_digest
from test_documented_commands import printed

ROOT = Path(__file__).resolve().parents[1]
TUTORIAL, NEW_PERIOD, REVIEWERS = "tutorial.md", "new-period.md", "for-reviewers.md"
DEMONSTRATION = {  # README's, which make the demonstration; `make demo` and reports/released hold them
    "simulate data/demo --world demo",
    r"simulate data\demo --world demo",
    "run analysis/studies/demo.toml --data data/demo --out reports",
    r"run analysis\studies\demo.toml --data data\demo --out reports",
}
ELSEWHERE = {"PYTHONHASHSEED": "123", "TZ": "Asia/Tokyo", "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2",
             "OPENBLAS_CORETYPE": "Sandybridge", "NPY_DISABLE_CPU_FEATURES": "X86_V4"}  # fmt: skip
"""Another clock, hash seed, number of threads and processor than those of the report made first."""


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Promise = Callable[[Path, Said], None]
Given = Callable[[Path], None]


@pytest.fixture
def typed(monkeypatch, capsys, evaluated_once):
    """Type a command in a folder, in this process."""
    for name, value in FIXED_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    def run(folder: Path, line: str) -> Said:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["medhome", *shlex.split(line)])
        capsys.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return Said(code, *capsys.readouterr())

    return run


def typed_elsewhere(folder: Path, *words: str, **environment: str) -> Said:
    """Another process, nothing shared with this one."""
    clean = {k: v for k, v in os.environ.items() if k not in FIXED_ENVIRONMENT}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, env={**clean, **environment}
    )
    return Said(done.returncode, done.stdout, done.stderr)


def lines(page: str) -> list[str]:
    """The commands of a page, one a line, in order; those of a replication package come after all others."""
    path = ROOT / "docs" / page
    return [*printed(path), *re.findall(r"(?m)^ {4,}(python .*)$", path.read_text(encoding="utf-8"))]


def files(report: Path) -> dict[str, str]:
    """Digests of a report's files, but for the run log, which alone may tell the time."""
    run = (report / "current").resolve() if (report / "current").exists() else report
    return {
        p.relative_to(run).as_posix(): file_digest(p)
        for p in sorted(run.rglob("*"))
        if p.is_file() and p.name != "run-log.json"
    }


def text(page: Path) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")).split())


def go(page: str, folder: Path, typed, promised: Mapping[str, Promise], given: Mapping[str, Given]) -> None:
    """Type every command of a page in order; what is given before one, and what each promised, is held."""
    for line in lines(page):
        if line in given:
            given[line](folder)
        said = typed(folder, line)
        assert "Traceback" not in said.err, said.err
        if line not in ENDS:
            assert said.code == 0, f"medhome {line}\n{said.out}\n{said.err}"
        promised[line](folder, said)


# -- the tutorial ----------------------------------------------------------------------------------------


def simulated(folder: Path, said: Said) -> None:
    assert (folder / "my-claims" / "study.toml").is_file()
    dictionary = (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
    for table in ("eligibility", "medical_claim", "pharmacy_claim", "provider_practice", "program_roster"):
        assert (folder / "my-claims" / f"{table}.parquet").is_file() and table in dictionary


def begun(folder: Path, said: Said) -> None:
    """As the page says: the simulated claims' own study file, with the id of this study."""
    names = ["data-dictionary.md", "study.schema.json", "study.toml"]
    assert sorted(p.name for p in (folder / "my-study").iterdir()) == names
    template = tomllib.loads((folder / "my-study" / "study.toml").read_text(encoding="utf-8"))
    assert {"id", "title", "question", "paid_through", "periods", "arms", "program", "fees"} <= set(template)
    assert template["id"] == "my-study" and "floor" in template["disclosure"]
    fits = (folder / "my-claims" / "study.toml").read_text(encoding="utf-8")
    renamed, found = re.subn(r'(?m)^id = "small"$', 'id = "my-study"', fits)
    assert found == 1
    (folder / "my-study" / "study.toml").write_text(renamed, encoding="utf-8")


def checked(folder: Path, said: Said) -> None:
    assert "warning" in said.out and "none of them an error" in said.out
    page = folder / "reports" / "my-study" / "data-quality-2010-03.html"
    assert said.out.strip().endswith("reports/my-study/data-quality-2010-03.html")
    assert "Claims by month" in text(page) and "Where the dollars went" in text(page)


def locked(folder: Path, said: Said) -> None:
    lock = json.loads((folder / "my-study" / "study.lock.json").read_text())
    assert lock["entries"][0]["latest_incurred"] == "2010-03"
    assert "through March 2010" in said.out and "its outcomes up to then could be read" in said.out


def reported(folder: Path, said: Said) -> None:
    assert said.out.strip() == "reports/my-study/2010-03/index.html"
    page = text(folder / said.out.strip())
    assert "when the data held services through March 2010. That was inside the performance period" in page
    assert "It was not amended since." in page
    order = ("What this study could detect", "Findings", "Checks")
    assert [page.index(f"{part} ") for part in order] and "synthetic" in page.lower()


def verified(folder: Path, said: Said) -> None:
    found = json.loads((folder / "verification" / "verification.json").read_text())
    numbers = json.loads((folder / "reports/my-study/2010-03/results.json").read_text())["numbers"]
    assert found["counts"]["same"] == len(numbers) and sum(found["counts"].values()) == len(numbers)
    assert f"{len(numbers):,}" in text(folder / "verification" / "verification.html")


def released(folder: Path, said: Said) -> None:
    target = folder / said.out.strip()
    assert target == folder / "released" / "my-study" / "2010-03"
    assert (target / "disclosure.json").is_file() and not (target / "run-log.json").exists()


def held(folder: Path, said: Said) -> None:
    assert "digests" in said.out and "intervals" in said.out


TUTORIAL_PROMISES: dict[str, Promise] = {
    "simulate my-claims --world small": simulated,
    "init my-study": begun,
    "check my-study/study.toml --data my-claims": checked,
    "lock my-study/study.toml --data my-claims": locked,
    "run my-study/study.toml --data my-claims --out reports": reported,
    "verify reports/my-study/2010-03 --data my-claims --out verification": verified,
    "release reports/my-study/2010-03 --out released --data my-claims": released,
    "verify released/my-study/2010-03 --manifest-only": held,
}


# -- a new period ----------------------------------------------------------------------------------------


def extract(folder: Path, said: Said) -> None:
    assert (folder / said.out.strip()).is_file()


def early(folder: Path, said: Said) -> None:
    report = folder / "reports" / "my-study" / "2009-03"
    assert "at least 12 months" in text(report / "index.html") and "10 months" in text(report / "index.html")
    assert 'through = "2009-03"' in (report / "study.toml").read_text()


def checked_again(folder: Path, said: Said) -> None:
    assert "none of them an error" in said.out


def a_year_later(folder: Path, said: Said) -> None:
    """The tutorial's claims are this extract: typed again with nothing changed, the report is kept."""
    assert said.out.strip() == "reports/my-study/2010-03/index.html"
    assert "nothing changed: the report is kept" in said.err
    assert "It was not amended since." in text(folder / said.out.strip()), "a new period is no amendment"


def restated(folder: Path, said: Said) -> None:
    """Nothing is corrected later in a simulated world, and both extracts hold the run-out of the months."""
    said_first, *rows = said.out.strip().splitlines()
    found = re.fullmatch(r"(\d+) of (\d+) months by arm reported before differ", said_first)
    assert found and int(found[2]) == 2 * (24 + 10) and "new months: 2009-04 to 2010-03" in rows[0]
    assert len(rows) == 1 + int(found[1]) and all("withheld in one of the reports" in row for row in rows[1:])


def compared(folder: Path, said: Said) -> None:
    assert "Possible causes: the input data and the data period." in said.out, said.out
    assert "2009-03" in text(folder / "compare.html") and "2010-03" in text(folder / "compare.html")


def current(folder: Path, said: Said) -> None:
    assert "current" in said.out


def drawn_again(folder: Path, said: Said) -> None:
    assert files(folder / "reports" / "my-study" / "2010-03") == files(folder / "before")


def spoil_a_page(folder: Path) -> None:
    """A page is lost; the report as it was is kept apart, to compare with."""
    report = folder / "reports" / "my-study" / "2010-03"
    shutil.copytree(report / "current", folder / "before")
    (report / "current" / "savings.html").write_text("lost")


NEW_PERIOD_PROMISES: dict[str, Promise] = {
    "simulate extract-1 --world small --paid-through 2010-03": extract,
    "simulate extract-2 --world small": extract,
    "run my-study/study.toml --data extract-1 --out reports --through 2009-03": early,
    "check my-study/study.toml --data extract-2": checked_again,
    "run my-study/study.toml --data extract-2 --out reports --through 2010-03": a_year_later,
    "restated reports/my-study/2009-03 reports/my-study/2010-03": restated,
    "compare reports/my-study/2009-03 reports/my-study/2010-03 --page compare.html": compared,
    "status my-study/study.toml --data extract-2 --out reports": current,
    "report reports/my-study/2010-03": drawn_again,
}


def test_the_tutorial_and_the_year_after(tmp_path, typed):
    go(TUTORIAL, tmp_path, typed, TUTORIAL_PROMISES, {})
    for message, (line, spoil, code) in FAULTS.items():
        shutil.copytree(tmp_path / "my-study", tmp_path / "spoilt", dirs_exist_ok=True)
        shutil.copytree(tmp_path / "my-claims", tmp_path / "claims", dirs_exist_ok=True)
        spoil(tmp_path)
        said = typed(tmp_path, line)
        assert said.code == code and message in said.err, (message, said)
        shutil.rmtree(tmp_path / "claims")
    given = {"report reports/my-study/2010-03": spoil_a_page}
    go(NEW_PERIOD, tmp_path, typed, NEW_PERIOD_PROMISES, given)


# -- what the tutorial says that one sees when something is wrong -------------------------------------------


def _study(old: str, new: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        study = folder / "spoilt" / "study.toml"
        before = study.read_text(encoding="utf-8")
        assert old in before
        study.write_text(before.replace(old, new), encoding="utf-8")

    return spoil


def _without_roster(folder: Path) -> None:
    (folder / "claims" / "program_roster.parquet").unlink()


def _without_column(folder: Path) -> None:
    import pyarrow.parquet as pq

    path = folder / "claims" / "medical_claim.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["allowed_amount"]), path)


CHECK = "check spoilt/study.toml --data claims"
FAULTS: dict[str, tuple[str, Callable[[Path], None], int]] = {
    "there is no program_roster.parquet, program_roster.csv": (CHECK, _without_roster, 4),
    'unknown key; did you mean "run_out_months"?': (CHECK, _study("run_out_months", "runout_months"), 2),
    "leaves 1 months of run-out after through 2010-05": (
        CHECK, _study('through = "2010-03"', 'through = "2010-05"'), 2,
    ),
    "the treated arm would be empty": (CHECK, _study('program_id = "PCMH"', 'program_id = "OTHER"'), 4),
    "column allowed_amount is missing": (CHECK, _without_column, 4),
    "there is no such folder; give the folder of a report": (
        "verify reports/other/2010-03 --data claims", lambda folder: None, 4,
    ),
    "an amendment needs --reason": (
        "lock spoilt/study.toml --data claims", _study('version = "1"', 'version = "2"'), 2,
    ),
}  # fmt: skip


# -- reviewers ---------------------------------------------------------------------------------------------


def manifest_only(folder: Path, said: Said) -> None:
    held(folder, said)
    assert (folder / "verification" / "verification.html").is_file()
    assert (folder / "verification" / "certificate.txt").read_text().strip()
    found = json.loads((folder / "verification" / "verification.json").read_text())
    assert found["unsupported"] == [], "an amount in a sentence that no result reads like"
    wanted = ("shape", "digests", "run", "intervals", "ratios", "sums", "headline", "withheld", "text")
    wanted = (*wanted, "tables")
    assert {h["id"]: h["compared"] > 0 for h in found["held"]} == dict.fromkeys(wanted, True)


def verified_on_the_data(folder: Path, said: Said) -> None:
    found = json.loads((folder / "verification" / "verification.json").read_text())
    counts = found["counts"]
    assert counts["same"] + counts["agrees"] == sum(counts.values()) == numbers_of(folder)


def numbers_of(folder: Path) -> int:
    return len(json.loads((folder / "reports/small/2010-03/results.json").read_text())["numbers"])


def the_same_bytes(folder: Path, said: Said) -> None:
    again, first = (files(folder / name / "small" / "2010-03") for name in ("again", "reports"))
    assert len(again) > 20 and again == first


def reproduced(folder: Path, said: Said) -> None:
    """The package's code in a process of its own: each number is the same, none merely agrees."""
    n = numbers_of(folder)
    assert f"verified: {n} numbers: {n} same" in said.out and "reproduced: every number agrees" in said.out
    results = folder / "package" / "small" / "report" / "results.json"
    results.write_text(results.read_text().replace("1", "2", 1))
    altered = typed_elsewhere(folder, "package/small/reproduce.py", "--here")
    assert altered.code == 3 and "report/results.json" in altered.err


def unpacked(folder: Path, said: Said) -> None:
    package = folder / "package" / "small"
    readme = (package / "README.md").read_text()
    for heading in ("Data Availability and Provenance Statements", "Computational requirements",
                    "Description of programs/code", "Instructions to Replicators",
                    "List of tables and programs"):  # fmt: skip
        assert f"## {heading}\n" in readme
    crate = json.loads((package / "ro-crate-metadata.json").read_text())
    root = next(item for item in crate["@graph"] if item["@id"] == "./")
    assert root["datePublished"] == "2010-06-30"
    here = {p.relative_to(package).as_posix() for p in package.rglob("*") if p.is_file()}
    sums = dict(line.split("  ")[::-1] for line in (package / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == here - {"SHA256SUMS"}
    assert {"report/results.json", "report/manifest.json", "report/study.toml", "requirements.lock",
            "code/medhome/evaluate.py", "code/medhome/notebooks/01-findings.ipynb"} <= here  # fmt: skip


def packed(folder: Path, said: Said) -> None:
    assert zipfile.is_zipfile(folder / said.out.strip())


def examined(folder: Path, said: Said) -> None:
    assert said.code in (0, 3), said


def released_small(folder: Path, said: Said) -> None:
    assert said.out.strip() == "released/small/2010-03"


REVIEWER_PROMISES: dict[str, Promise] = {
    "verify reports/small/2010-03 --manifest-only --out verification "
    "--certificate verification/certificate.txt": manifest_only,
    "simulate data/small --world small --seed 1": extract,
    "verify reports/small/2010-03 --data data/small --out verification": verified_on_the_data,
    "run reports/small/2010-03/study.toml --data data/small --out again": the_same_bytes,
    "doctor reports/small/2010-03": examined,
    "status reports/small/2010-03 --data data/small": current,
    "release reports/small/2010-03 --out released": released_small,
    "bundle reports/small/2010-03 --out small.zip --world small --seed 1": packed,
    "python -m zipfile -e small.zip package": unpacked,
    "python package/small/reproduce.py --here": reproduced,
}
ENDS = {"doctor reports/small/2010-03"}
"""Commands that may end otherwise than with 0: their promise says how."""


def test_what_a_reviewer_does(small_run, tmp_path, typed):
    """The report is given; the package is the author's, whose commands stand last on the page."""
    folder = tmp_path / "a folder with spaces"
    shutil.copytree(small_run.report, folder / "reports" / "small" / "2010-03", symlinks=True)

    def as_printed(where: Path, line: str) -> Said:
        if line.startswith("python "):
            return typed_elsewhere(where, *shlex.split(line)[1:])
        if line.startswith("run "):
            return typed_elsewhere(where, "-m", "medhome", *shlex.split(line), **ELSEWHERE)
        return typed(where, line)

    go(REVIEWERS, folder, as_printed, REVIEWER_PROMISES, {})


# -- the pages and this module hold the same ---------------------------------------------------------------


PROMISES = {TUTORIAL: TUTORIAL_PROMISES, NEW_PERIOD: NEW_PERIOD_PROMISES, REVIEWERS: REVIEWER_PROMISES}


@pytest.mark.parametrize("page", PROMISES)
def test_every_command_of_a_page_is_run_and_no_other(page):
    assert sorted(lines(page)) == sorted(PROMISES[page])


def test_readme_shows_the_same_commands():
    own = set(printed(ROOT / "README.md"))
    assert own >= DEMONSTRATION
    assert own - DEMONSTRATION <= set(TUTORIAL_PROMISES) | set(NEW_PERIOD_PROMISES)
    assert len(own - DEMONSTRATION) >= 5


def test_the_tutorial_shows_each_message_that_was_seen():
    page = (ROOT / "docs" / TUTORIAL).read_text(encoding="utf-8")
    table = page.partition("## What it says when something is wrong")[2]
    assert sorted(re.findall(r"(?m)^\| `([^`]+)` \|", table)) == sorted(FAULTS)
