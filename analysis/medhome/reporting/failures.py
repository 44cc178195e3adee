"""What can go wrong with a report notebook; in each case nothing was written."""

from __future__ import annotations

from medhome.study import problems
from medhome.study.problems import MedhomeError


class NotebookDefect(MedhomeError):
    """A report notebook that breaks the house rules, whatever its parameters (exit code 1)."""


class NotRepeatable(MedhomeError):
    """A notebook or page that would not come out the same on another run (exit code 1)."""


class NotebookFailed(MedhomeError):
    """A report notebook that did not run to its end.

    ``exit_code`` is that of the medhome problem that a cell raised, else 1.
    """

    def __init__(
        self,
        message: str,
        *,
        notebook: str,
        cell: int | None = None,
        ename: str = "",
        evalue: str = "",
        traceback: str = "",
    ) -> None:
        super().__init__(message)
        self.notebook, self.cell, self.traceback = notebook, cell, traceback
        self.ename, self.evalue = ename, evalue
        raised = getattr(problems, ename, None)
        if isinstance(raised, type) and issubclass(raised, MedhomeError):
            self.exit_code = raised.exit_code


class Interrupted(NotebookFailed):
    """A notebook that was stopped because another one failed, or the run was interrupted."""
