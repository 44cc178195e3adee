"""Section: the base of every table of the study file. An unknown key is a fault, a read study is frozen."""

from __future__ import annotations

from pydantic import BaseModel

from medhome.study.claims_choices import STRICT


class Section(BaseModel):
    """One table of the study file."""

    model_config = STRICT
