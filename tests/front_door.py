"""What a reader who types a command gets: its exit code, its output and its message."""

from __future__ import annotations

from typer.testing import CliRunner

from medhome.cli import app
from medhome.study.problems import MedhomeError


def typed(*arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and the message of ``medhome`` with these arguments."""
    done = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=True)
    if isinstance(done.exception, MedhomeError):
        return done.exception.exit_code, done.stdout, str(done.exception)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr
