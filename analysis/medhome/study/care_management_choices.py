"""[care_management] of the study file: which events make a stage, and the bands of dose."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from medhome.study.section import Section

EventType = Literal["identified", "outreach", "reached", "engaged", "contact", "closed"]
Events = list[EventType]


class CareManagementChoices(Section):
    """What counts as identified, reached, engaged and as a contact, by the types of ``care_management``.

    dose_bands: upper ends of the bands of contacts per member-month of an engaged member.
    """

    enabled: bool = True
    identified: Events = Field(default=["identified"], min_length=1)
    reached: Events = Field(default=["reached"], min_length=1)
    engaged: Events = Field(default=["engaged"], min_length=1)
    contact: Events = Field(default=["contact"], min_length=1)
    dose_bands: list[float] = Field(default=[0.25, 0.5, 1.0], min_length=1, max_length=8)

    @model_validator(mode="after")
    def _told_apart(self) -> CareManagementChoices:
        if both := set(self.identified) & {*self.reached, *self.engaged, *self.contact}:
            raise ValueError(
                f"{', '.join(sorted(both))} cannot both identify a member and be work with one; name it "
                "under identified or under the others"
            )
        if self.dose_bands[0] <= 0 or any(a >= b for a, b in pairwise(self.dose_bands)):
            raise ValueError("dose_bands must ascend and lie above 0: contacts per engaged member-month")
        return self

    @property
    def first_contacts(self) -> frozenset[str]:
        """Types that show that somebody was spoken with: reached, or anything that comes after it."""
        return frozenset((*self.reached, *self.engaged, *self.contact))
