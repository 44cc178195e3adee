"""``manifest.json``: what made a report. The same study, data, code and environment give the same bytes.

Nothing in it tells the time, the folder, the user or the machine's name. Times go to ``run-log.json``, which
is never hashed.
"""

from __future__ import annotations

import copy
import hashlib
import html
import json
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from medhome.reporting.disclosure import Gate
from medhome.reporting.json_files import read_json, write_json
from medhome.reporting.made_with import code_here, environment_here, lock_here
from medhome.study.choices import flat, flat_choices
from medhome.study.periods import month_end, month_index, month_start
from medhome.study.problems import DataProblem
from medhome.study.provenance import file_digest, source_digest
from medhome.study.results import Evaluation
from medhome.study.spec import StudySpec

SCHEMA = "medhome/manifest/1"
NAME = "manifest.json"
RUN_LOG = "run-log.json"
_NOT_OUTPUTS = (NAME, RUN_LOG)
_ABSOLUTE = re.compile(r"^([/\\]|[A-Za-z]:)")
_EXHIBIT = re.compile(
    r"<(figure|table|div|section)\b[^>]*\bid=\"((?:fig|tab|tbl)-[\w-]+|[TF]\d+[\w-]*)\"", re.IGNORECASE
)
_TITLE = re.compile(r"<(p|caption|h3)\b(?: class=\"ftitle\")?>(.*?)</\1>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_CALL = re.compile(r"\bmedhome\.(?!show\b)(\w+)\(")


@dataclass(frozen=True)
class Manifest:
    """Everything that is known of a run before its pages are made, and the id that follows from it."""

    plain: Mapping[str, Any]

    @property
    def run_id(self) -> str:
        return str(self.plain["run_id"])

    def to_plain(self) -> dict[str, Any]:
        return copy.deepcopy(dict(self.plain))


def describe(
    spec: StudySpec,
    released: Evaluation,
    gate: Gate,
    *,
    package: Path,
    notebooks: Path,
    seeds: Mapping[str, Sequence[int]] | None = None,
    protocol: Path | None = None,
) -> Manifest:
    """What makes this run: code, environment, parameters, seeds, inputs, disclosure and steps.

    Arguments
        spec: the study as run.
        released: its released evaluation (the input files are read from it).
        gate: what the disclosure gate withheld.
        package: folder of the package's sources; notebooks: folder of the report notebooks.
        seeds: the seed of each step that draws random numbers.
        protocol: the study file's lock (`medhome.study.protocol`), where there is one.

    ``run_id`` is the sha256 of all of it. Outputs and exhibits are added by `write`.
    """
    lock = lock_here(package)
    source = source_digest(package)
    inputs = _inputs(spec, released)
    locked = None if protocol is None else {"file": protocol.name, "sha256": file_digest(protocol)}
    parameters, defaults = _parameters(spec)
    body: dict[str, Any] = {
        "schema": SCHEMA,
        "study": {
            "id": spec.id,
            "title": spec.title,
            "version": spec.version,
            "fingerprint": spec.fingerprint,
        },
        "period": {
            "id": spec.periods.through,
            "first": month_start(spec.periods.baseline.first).isoformat(),
            "last": month_end(month_index(spec.periods.through)).isoformat(),
            "paid_through": month_end(month_index(spec.paid_through)).isoformat(),
        },
        "synthetic": spec.data.synthetic,
        "code": code_here(package),
        "environment": environment_here(package),
        "parameters": parameters,
        "parameters_default": defaults,
        "protocol": locked,
        "seeds": {"root": spec.seed, "steps": {name: list(seed) for name, seed in (seeds or {}).items()}},
        "inputs": inputs,
        "disclosure": gate.to_plain(),
        "steps": _steps(notebooks, spec, inputs, _digest_of([source, lock and file_digest(lock), locked])),
    }
    return Manifest({**body, "run_id": _digest_of(body)})


def write(manifest: Manifest, folder: Path) -> None:
    """Write ``manifest.json``: what `describe` found, with the exhibits and every file that ``folder`` holds.

    ``run_id`` covers all but outputs and exhibits, so that it can be printed in them.
    """
    plain = manifest.to_plain()
    plain["outputs"] = outputs(folder)
    plain["exhibits"] = exhibits(sorted(folder.glob("notebooks/*.ipynb")))
    write_json(plain, folder / NAME)


def outputs(folder: Path) -> list[dict[str, Any]]:
    """Every file below a folder with its digest, but for the manifest itself and the run log."""
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        if name in _NOT_OUTPUTS or path.name.startswith("."):
            continue
        size = path.stat().st_size
        found.append({"name": name, "sha256": file_digest(path), "bytes": size, "class": "release"})
    return found


def exhibits(executed: Iterable[Path]) -> list[dict[str, Any]]:
    """Every figure and table with the notebook, the cell and the function that made it (the AEA list)."""
    found = []
    for path in executed:
        for cell in read_json(path)["cells"]:
            source = "".join(cell["source"])
            call = _CALL.search(source)
            for output in cell.get("outputs", []):
                markup = "".join(output.get("data", {}).get("text/html", []))
                for match in _EXHIBIT.finditer(markup):
                    title = _TITLE.search(markup, match.start())
                    found.append(
                        {
                            "id": match[2],
                            "title": html.unescape(_TAG.sub("", title[2])).strip() if title else "",
                            "step": path.stem,
                            "cell": cell["id"],
                            "function": f"medhome.{call[1]}" if call else None,
                        }
                    )
    return found


def write_run_log(folder: Path, entries: Iterable[Mapping[str, Any]]) -> None:
    """Write ``run-log.json``: times, which differ from run to run and are therefore kept apart."""
    write_json({"schema": "medhome/run-log/1", "entries": [dict(e) for e in entries]}, folder / RUN_LOG)


def notebook_digest(path: Path) -> str:
    """sha256 of a notebook's cells, whatever its layout and outputs."""
    cells = [(c["cell_type"], "".join(c["source"]), c["metadata"]) for c in read_json(path)["cells"]]
    return _digest_of(cells)


def run_id_of(manifest: Mapping[str, Any]) -> str:
    """The id that follows from what a manifest says made the run: all but outputs, exhibits, rendering."""
    apart = ("run_id", "outputs", "exhibits", "rendered")
    return _digest_of({key: value for key, value in manifest.items() if key not in apart})


def _digest_of(document: Any) -> str:
    plain = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(plain.encode()).hexdigest()


def _parameters(spec: StudySpec) -> tuple[dict[str, Any], list[str]]:
    """The study's choices under dotted names, and which of them are the defaults."""
    values = flat_choices(spec)
    defaults = flat(_defaults(type(spec)))
    return values, sorted(
        name for name, value in values.items() if name in defaults and defaults[name] == value
    )


def _defaults(model: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, item in model.model_fields.items():
        if hasattr(item.annotation, "model_fields"):
            found[name] = _defaults(item.annotation)
        elif not item.is_required():
            found[name] = item.get_default(call_default_factory=True)
    return found


def _inputs(spec: StudySpec, released: Evaluation) -> list[dict[str, Any]]:
    found = []
    for row in released.quality.inputs.to_dict("records"):
        name = str(row["name"])
        if _ABSOLUTE.match(name) or ".." in PurePosixPath(name).parts:
            raise DataProblem(
                f"input {row['role']}: the manifest may not hold the path {name}; name the file only"
            )
        found.append(
            {
                "role": str(row["role"]),
                "name": name,
                "rows": int(row["rows"]),
                "bytes": int(row["bytes"]),
                "sha256": str(row["sha256"]),
                "content_sha256": str(row["content_sha256"]),
                "sensitivity": "synthetic" if spec.data.synthetic else "restricted",
            }
        )
    return sorted(found, key=lambda i: (i["role"], i["name"]))


def notebook_steps(notebooks: Path) -> list[dict[str, Any]]:
    """The report notebooks in their order, each with the digest of its cells."""
    return [
        {"id": path.stem, "notebook": f"notebooks/{path.name}", "source_sha256": notebook_digest(path)}
        for path in sorted(notebooks.glob("[0-9]*.ipynb"))
    ]


def _steps(
    notebooks: Path, spec: StudySpec, inputs: list[dict[str, Any]], made_with: str
) -> list[dict[str, Any]]:
    """One step a notebook; its key changes with anything that could change what it shows."""
    found = []
    for step in notebook_steps(notebooks):
        key = _digest_of(
            {
                "notebook": step["source_sha256"],
                "study": spec.fingerprint,
                "inputs": [i["sha256"] for i in inputs],
                "made_with": made_with,
                "python": platform.python_version_tuple()[:2],
            }
        )
        io = {"inputs": ["study.toml", "evaluation"], "outputs": [step["notebook"]]}
        found.append({**step, "key": key, **io})
    return found
