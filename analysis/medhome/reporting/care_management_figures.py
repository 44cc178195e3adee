"""The care-management funnel as a picture."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as MplFigure

from medhome.reporting import care_management_exhibits as exhibits
from medhome.reporting.drawing import BLUE, GRID, INK, MUTE, Figure, canvas
from medhome.reporting.words import rows_of
from medhome.study.care_management_results import CareManagement
from medhome.study.display import WITHHELD, absent, count, share

_HIGH = 58
_OF = ("of all members", "of the identified", "of the reached")


def funnel(found: CareManagement) -> Figure:
    """How many identified members were reached, and how many engaged?"""
    everyone = found.stages["members"].iloc[0]
    frame = found.stages.iloc[1:].reset_index(drop=True)
    sizes = np.nan_to_num(frame["members"].to_numpy(dtype=float))
    widest = float(sizes.max(initial=0.0)) or 1.0

    def draw(width: int) -> MplFigure:
        figure, axes = canvas(width, 12 + _HIGH * len(frame))
        for i, row in enumerate(rows_of(frame)):
            y = len(frame) - i - 0.72
            if i and sizes[i] and sizes[i - 1]:  # what was lost since the stage before
                axes.barh(y, sizes[i - 1], height=0.4, color=GRID, linewidth=0)
            axes.barh(y, sizes[i], height=0.4, color=BLUE, linewidth=0)
            number = WITHHELD if absent(row.members) else count(row.members)
            part = "" if absent(row.previous_share) else f", {share(row.previous_share, 0)} {_OF[i]}"
            axes.text(0, y + 0.42, f"{row.label}: {number}{part}", ha="left", va="center", color=INK)
        axes.plot([0, 0], [0, len(frame)], color=MUTE, linewidth=0.8)
        axes.set_xlim(0, widest * 1.01)
        axes.set_ylim(0, len(frame))
        axes.set_axis_off()
        return figure

    number = "withheld" if absent(everyone) else count(everyone)
    return Figure(
        id="fig-care-funnel",
        title="From the list to work with a member",
        subtitle=f"Members of the program identified, reached and engaged; of {number} after the start",
        note="Grey: lost since the stage before. Who is further on is in every stage before.",
        description="Three bars, one beneath the other: members identified, reached and engaged.",
        draw=draw,
        table=exhibits.stages(found),
        drawn=("members",),
    )
