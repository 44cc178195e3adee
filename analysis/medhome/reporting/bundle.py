"""A replication package: a report, the code that made it, its lock, and one command that reproduces it.

Layout::

    README.md                 in the shape that data editors of economics journals ask for
    reproduce.py              the one command; reproduce.json says which simulated world it uses
    report/                   the released report: pages, results, manifest, study file
    simulated/                results of a simulated world with the same code, where the data are restricted
    code/medhome/             the package that made the report, notebooks inside
    requirements.lock         the environment, with hashes
    ro-crate-metadata.json    what this is, for machines
    SHA256SUMS                digests of all of it

The same report and code give the same bytes: no clock, fixed dates, files in order.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medhome.reporting.bundle_words import readme
from medhome.reporting.json_files import write_json
from medhome.study.provenance import file_digest

REPRODUCE = Path(__file__).resolve().parent / "templates" / "bundle" / "reproduce.py"
SUMS, CRATE = "SHA256SUMS", "ro-crate-metadata.json"
_FIRST_DAY_OF_ZIP = (1980, 1, 1, 0, 0, 0)
_TYPES = {
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".py": "text/x-python",
    ".toml": "application/toml",
    ".csv": "text/csv",
    ".ipynb": "application/x-ipynb+json",
    ".parquet": "application/vnd.apache.parquet",
}


@dataclass(frozen=True, kw_only=True)
class World:
    """The simulated world that the one command uses, and the report that it must give again."""

    world: str
    seed: int | None
    report: str

    @property
    def simulated_apart(self) -> bool:
        """Whether the world stands in for data that the package does not hold."""
        return self.report != "report"


def copy_code(package: Path, notebooks: Path, lock: Path, into: Path) -> None:
    """The package's sources with the notebooks inside, as a wheel has them, and the lock beside."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".ipynb_checkpoints")
    shutil.copytree(package, into / "code" / "medhome", ignore=ignored)
    target = into / "code" / "medhome" / "notebooks"
    if not target.is_dir():
        shutil.copytree(notebooks, target, ignore=ignored)
    shutil.copyfile(lock, into / "requirements.lock")


def complete(folder: Path, manifest: Mapping[str, Any], world: World, license_text: str) -> None:
    """Add the README, the one command, the metadata and the digests to a folder that has all the rest."""
    shutil.copyfile(REPRODUCE, folder / "reproduce.py")
    write_json({"world": world.world, "seed": world.seed, "report": world.report}, folder / "reproduce.json")
    (folder / "LICENSE").write_text(license_text, encoding="utf-8", newline="\n")
    (folder / "README.md").write_text(
        readme(manifest, world.world, world.seed, world.simulated_apart), encoding="utf-8", newline="\n"
    )
    write_json(crate(folder, manifest), folder / CRATE)
    sums = "".join(f"{file_digest(folder / n)}  {n}\n" for n in names(folder) if n != SUMS)
    (folder / SUMS).write_text(sums, encoding="utf-8", newline="\n")


def names(folder: Path) -> list[str]:
    """Every file below a folder, in order."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def write_zip(folder: Path, out: Path) -> Path:
    """Pack a folder: files in order, one fixed date, stored as they are, so that bytes do not vary."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out, "w", compression=zipfile.ZIP_STORED) as archive:
        for name in names(folder):
            entry = zipfile.ZipInfo(f"{out.stem}/{name}", date_time=_FIRST_DAY_OF_ZIP)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, (folder / name).read_bytes())
    return out


def crate(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """RO-Crate 1.1 metadata. Its date is the last day whose payments the data hold: no clock is read."""
    study, code, period = manifest["study"], manifest["code"], manifest["period"]
    files = [n for n in names(folder) if n not in (CRATE, SUMS) and not n.startswith("code/")]
    inputs = [{"@id": f"#input-{i}"} for i in range(len(manifest["inputs"]))]
    graph: list[dict[str, Any]] = [
        {
            "@id": CRATE,
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": study["title"],
            "description": f"Replication package of study {study['id']}, version {study['version']}, data "
            f"through {period['last']}, run {manifest['run_id'][:16]}.",
            "identifier": manifest["run_id"],
            "datePublished": period["paid_through"],
            "license": {"@id": "LICENSE"},
            "hasPart": [{"@id": n} for n in files] + [{"@id": "code/"}],
            "mentions": {"@id": "#run"},
        },
        {
            "@id": "code/",
            "@type": ["Dataset", "SoftwareSourceCode"],
            "name": "medhome",
            "version": code["version"],
            "identifier": code["source_sha256"],
            "programmingLanguage": f"Python {manifest['environment']['python']}",
            "license": {"@id": "LICENSE"},
        },
        {
            "@id": "#run",
            "@type": "CreateAction",
            "name": "medhome run",
            "instrument": {"@id": "code/"},
            "object": [*inputs, {"@id": "report/study.toml"}],
            "result": [{"@id": "report/results.json"}],
        },
    ]
    for at, item in zip(inputs, manifest["inputs"], strict=True):
        graph.append(
            {
                **at,
                "@type": "Dataset",
                "name": item["name"],
                "description": f"{item['role']}, {item['rows']} rows, {item['sensitivity']}; not in here",
                "identifier": item["sha256"],
            }
        )
    for name in files:
        path = folder / name
        graph.append(
            {
                "@id": name,
                "@type": "File",
                "name": path.name,
                "contentSize": str(path.stat().st_size),
                "encodingFormat": _TYPES.get(path.suffix, "text/plain"),
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
        )
    return {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph}
