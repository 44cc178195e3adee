"""Every medhome command that a page of docs shows is one that the command line has, with its options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from medhome.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def printed(path: Path) -> list[str]:
    """The commands in blocks of code, one a line, without ``medhome`` before them and comments after."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    fenced = "\n".join(re.findall(r"(?ms)^```\w*\n(.*?)^```", text))
    lines = re.findall(r"(?m)^ {4,}medhome ([a-z].*)$", text) + re.findall(r"(?m)^medhome (.*)$", fenced)
    return [re.sub(r"\s+#.*", "", line).strip() for line in lines]


def shown(path: Path) -> list[list[str]]:
    """The words of each command."""
    return [shlex.split(line) for line in printed(path)]


def test_the_pages_show_commands():
    wanted = {"for-reviewers.md", "new-period.md", "tutorial.md", "README.md"}
    assert {p.name for p in PAGES if shown(p)} >= wanted


@pytest.mark.parametrize("path", [p for p in PAGES if shown(p)], ids=lambda p: p.name)
def test_commands_that_are_shown_are_there(path):
    for name, *words in shown(path):
        assert name in COMMANDS, f"{path.name}: medhome {name}"
        options = {o for p in COMMANDS[name].params for o in getattr(p, "opts", ())} | {"--help"}
        for word in words:
            if word.startswith("--"):
                assert word.partition("=")[0] in options, f"{path.name}: medhome {name} {word}"
