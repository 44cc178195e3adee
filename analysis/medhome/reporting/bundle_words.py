"""The README of a replication package, made from the manifest: what is known is filled in, the rest is asked.

Its headings are those of the README that the data editors of social-science journals ask for
(social-science-data-editors.github.io/template_README); the sentences are our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ASKED = "**[author: fill in]**"


def readme(manifest: Mapping[str, Any], world: str, seed: int | None, simulated_apart: bool) -> str:
    """The README as Markdown.

    Arguments
        manifest: of the report in the package.
        world, seed: what the one command simulates.
        simulated_apart: whether that stands in for data that are not in the package.
    """
    study, period, code = manifest["study"], manifest["period"], manifest["code"]
    parts = [
        f"# {study['title']}: replication package",
        "## Overview",
        f"This package holds the report of study `{study['id']}`, version {study['version']}, with data from "
        f"{period['first']} to {period['last']} as paid through {period['paid_through']}, the code that made "
        f"it (medhome {code['version']}), and the environment that the code ran in. One command reproduces:",
        "```\npython reproduce.py\n```",
        _what_is_reproduced(world, simulated_apart),
        "## Data Availability and Provenance Statements",
        "### Statement about Rights",
        f"- [ ] The authors have legitimate access to and permission to use the data. {ASKED}\n"
        f"- [ ] The authors have permission to redistribute what this package holds. {ASKED}",
        "### Summary of Availability",
        _availability(manifest),
        "### Details on each Data Source",
        f"Source, agreement, cost and time of access: {ASKED}",
        "## Dataset list",
        _datasets(manifest["inputs"]),
        "## Computational requirements",
        "### Software Requirements",
        _software(manifest),
        "### Controlled Randomness",
        _randomness(manifest["seeds"]),
        "### Memory, Runtime, Storage Requirements",
        "The command simulates some thousand people and runs within minutes in less than two gigabytes of "
        f"memory; the environment takes about one gigabyte. With the study's own data: {ASKED}",
        "## Description of programs/code",
        "- `code/medhome/evaluate.py` is the study from input tables to savings, one straight line.\n"
        "- `code/medhome/notebooks/` are the report's notebooks; executed, they are in `report/notebooks/`.\n"
        "- `report/study.toml` holds every choice that decides a number.\n"
        "- `reproduce.py` is the one command.",
        "### License for Code",
        "See `LICENSE`.",
        "## Instructions to Replicators",
        "1. Have Python 3.11 or later, and a connection to a package index for the first run.\n"
        "2. `python reproduce.py`. It ends with 0 when every number agrees, and with 3 when one differs; the "
        "differing ones are listed with what is not as published.\n"
        "3. With access to the data: `python reproduce.py --data FOLDER`, where FOLDER holds the files of "
        "the dataset list.\n"
        "4. `PYTHONPATH=code python -m medhome doctor report` says what of the environment is not as the "
        "report was made with.",
        "## List of tables and programs",
        "What the one command gives again:\n\n- [x] every number in the report's sentences\n"
        "- [x] every table and figure of the report\n- [ ] numbers of a paper that cites it "
        f"{ASKED}",
        _exhibits(manifest.get("exhibits", [])),
        "## References",
        f"Papers and data to cite: {ASKED}",
    ]
    return "\n\n".join(parts) + "\n"


def _what_is_reproduced(world: str, simulated_apart: bool) -> str:
    if simulated_apart:
        return (
            "The study's data are not in this package. The command checks the report against its own "
            f"manifest and runs the same code on the simulated world `{world}`, whose results are in "
            "`simulated/`; every number of it gets a verdict. Who may use the data adds `--data FOLDER`."
        )
    return (
        f"The study's data are the simulated world `{world}`: the command writes them anew, runs the study "
        "on them, and gives every number of the report a verdict."
    )


def _availability(manifest: Mapping[str, Any]) -> str:
    if manifest["synthetic"]:
        return (
            "- [x] Every table is synthetic; the code of this package writes it.\n"
            "- [ ] Some tables are restricted.\n- [ ] Every table is restricted."
        )
    return (
        "- [ ] Every table is public.\n- [ ] Some tables are restricted.\n"
        f"- [ ] Every table is restricted. {ASKED}"
    )


def _datasets(inputs: list[Mapping[str, Any]]) -> str:
    lines = ["| File | Role | Rows | Bytes | SHA-256 | Provided |", "|---|---|---:|---:|---|---|"]
    for item in inputs:
        held = "made by the command" if item["sensitivity"] == "synthetic" else "no"
        lines.append(
            f"| `{item['name']}` | {item['role']} | {item['rows']:,} | {item['bytes']:,} | "
            f"`{item['sha256'][:16]}…` | {held} |"
        )
    return "\n".join(lines)


def _software(manifest: Mapping[str, Any]) -> str:
    environment = manifest["environment"]
    packages = ", ".join(f"{name} {version}" for name, version in sorted(environment["packages"].items()))
    return (
        f"{environment['implementation']} {environment['python']} on {environment['platform']}; {packages}. "
        "`requirements.lock` holds every package with its version and hash."
    )


def _randomness(seeds: Mapping[str, Any]) -> str:
    steps = "; ".join(f"{name}: {values}" for name, values in sorted(seeds["steps"].items()))
    return f"The study's seed is {seeds['root']}. Each step that draws has a seed of its own: {steps}."


def _exhibits(exhibits: list[Mapping[str, Any]]) -> str:
    lines = ["| Exhibit | Title | Notebook | Cell | Function |", "|---|---|---|---|---|"]
    for item in exhibits:
        title = item["title"].replace("|", "\\|")
        lines.append(
            f"| {item['id']} | {title} | `{item['step']}` | {item['cell']} | `{item['function'] or '–'}` |"
        )
    return "\n".join(lines)
