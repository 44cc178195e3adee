"""What can go wrong, each with the exit code that the command line gives it.

Every message names the place (file, column, row or key) and says what to do; a caller may show
``str(error)`` to a person as it is.
"""

from __future__ import annotations


def printable(value: object, longest: int = 80) -> str:
    r"""A value of somebody's file as a message may print it: short, and no sign that steers a terminal.

    >>> print(printable("P0\x1b[2J7"))
    P0\x1b[2J7
    >>> printable("x" * 10_000, longest=8)
    'xxxxxxxx… (10,000 characters)'
    """
    text = str(value)
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:longest])
    return plain if len(text) <= longest else f"{plain}… ({len(text):,} characters)"


class MedhomeError(Exception):
    """A problem that medhome explains; anything else that escapes is a defect of medhome."""

    exit_code = 1


class ModelRefusal(MedhomeError):
    """A model that cannot be fitted honestly on these data (exit code 1)."""

    exit_code = 1


class OutOfRoom(MedhomeError):
    """Memory or a disk that was used up on the way to a result (exit code 1)."""

    exit_code = 1


class StudyFileError(MedhomeError):
    """A study file, a parameter or a command line that cannot be read as meant (exit code 2)."""

    exit_code = 2


class NumbersDiffer(MedhomeError):
    """A verification that ran and found other numbers (exit code 3)."""

    exit_code = 3


class DataProblem(MedhomeError):
    """Input data that are not as the contract describes them (exit code 4)."""

    exit_code = 4


class DisclosureRefused(MedhomeError):
    """A release that would let a reader derive a small count (exit code 5)."""

    exit_code = 5
