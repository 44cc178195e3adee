"""What a check of a study says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of the study: ``passed`` is true, false, or none when it only informs.

    ``sentence`` is generated from the result and shown as it is. ``front_page`` checks that did not pass
    are shown on the first page.
    """

    id: str
    sentence: str
    passed: bool | None
    front_page: bool = False
