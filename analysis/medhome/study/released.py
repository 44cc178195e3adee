"""A run as the reports see it: after the disclosure gate."""

from __future__ import annotations

from dataclasses import dataclass

from medhome.study.protocol import ProtocolLock
from medhome.study.results import Evaluation
from medhome.study.spec import StudySpec


@dataclass(frozen=True, kw_only=True)
class ReleasedRun:
    """What a report may show: the study, the evaluation with its small cells withheld, the code's version,
    and the protocol's lock where the study file was locked.

    Figures, tables and sentences take this and nothing else, so that nothing that was withheld can be drawn.
    """

    spec: StudySpec
    evaluation: Evaluation
    code_version: str = ""
    protocol: ProtocolLock | None = None
