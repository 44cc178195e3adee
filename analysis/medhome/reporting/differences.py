"""What made two runs different: data, period, parameters, code or environment, read from their manifests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medhome.study.choices import OF_THE_PERIOD
from medhome.study.display import listed

GROUPS = ("data", "period", "parameters", "code", "environment")
"""In the order in which a person would look at them."""

_WORDS = {
    "data": "the input data",
    "period": "the data period",
    "parameters": "the study's parameters",
    "code": "the code",
    "environment": "the environment",
}
_DESCRIBES_ONLY = ("code git_commit", "code git_dirty", "lock")
"""Recorded, but no cause: the sources' digest and the installed versions are what counts."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One line of two manifests that is not the same."""

    group: str
    name: str
    old: Any
    new: Any

    @property
    def moves_numbers(self) -> bool:
        """Whether a number can differ for it."""
        return self.name not in _DESCRIBES_ONLY

    @property
    def line(self) -> str:
        return f"{self.name}: {short(self.new)} here, {short(self.old)} published"

    def to_plain(self) -> dict[str, Any]:
        return {"group": self.group, "name": self.name, "old": self.old, "new": self.new}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Every line of two manifests that differs, the data first."""
    before, now = _described(old), _described(new)
    names = [*before, *(n for n in now if n not in before)]
    found = [
        Difference(group=group, name=name, old=before.get((group, name)), new=now.get((group, name)))
        for group, name in names
        if before.get((group, name)) != now.get((group, name))
    ]
    return tuple(sorted(found, key=lambda d: GROUPS.index(d.group)))


def groups(found: Iterable[Difference]) -> tuple[str, ...]:
    """The groups in which something differs that can move a number."""
    seen = {d.group for d in found if d.moves_numbers}
    return tuple(g for g in GROUPS if g in seen)


def likely_cause(found: Sequence[Difference], altered: Sequence[str] = ()) -> str:
    """Why numbers that should agree do not, in one sentence, from what is not the same.

    >>> likely_cause([Difference(group="data", name="input medical_claim (m.csv)", old="a", new="b")])
    'Likely cause: the input data (input medical_claim (m.csv)); nothing else that can move a number differs.'
    """
    if altered:
        return (
            f"Likely cause: {listed(list(altered))} changed after publication and not the file that the "
            "manifest describes."
        )
    seen = groups(found)
    if not seen:
        return (
            "Nothing that was recorded differs: data, parameters, code and environment are the published "
            "ones. The numbers depend on something that the manifest does not know."
        )
    if len(seen) == 1:
        names = [d.name for d in found if d.group == seen[0] and d.moves_numbers]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        inside = "; ".join(names[:3]) + more
        return f"Likely cause: {_WORDS[seen[0]]} ({inside}); nothing else that can move a number differs."
    return (
        f"Possible causes: {listed([_WORDS[g] for g in seen])}. All of them differ, and two reports alone "
        "cannot tell them apart; change one at a time."
    )


def what_to_run(found: Sequence[Difference]) -> tuple[str, ...]:
    """With several causes at once: the runs that tell them apart. Empty where one cause stands alone."""
    seen = groups(found)
    if len(seen) < 2:
        return ()
    runs = {
        "data": "the new study file on the earlier data",
        "period": "the new study file with --through and paid_through of the earlier report",
        "parameters": "the earlier study.toml on the new data",
        "code": "the earlier study.toml on the earlier data with the code of now",
        "environment": "the same in the locked environment (medhome doctor)",
    }
    return tuple(runs[g] for g in seen)


def short(value: Any) -> str:
    """A value of a manifest on one line: digests by their beginning."""
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:12]}…"


def _described(manifest: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """A manifest as flat lines by group: what a person would look at when numbers differ."""
    found: dict[tuple[str, str], Any] = {}
    for item in manifest.get("inputs", []):
        name = f"input {item['role']} ({item['name']})"
        found["data", name] = item.get("content_sha256") or item["sha256"]
    for key, value in manifest.get("parameters", {}).items():
        found["period" if key in OF_THE_PERIOD else "parameters", f"parameter {key}"] = value
    found |= {("parameters", f"seed {k}"): v for k, v in manifest.get("seeds", {}).items()}
    code = manifest.get("code", {})
    for key in ("version", "source_sha256", "git_commit", "git_dirty"):
        found["code", f"code {key}"] = code.get(key)
    environment = manifest.get("environment", {})
    for key, value in environment.get("packages", {}).items():
        found["environment", f"package {key}"] = value
    for key in ("python", "implementation", "platform", "blas", "lock"):
        found["environment", key] = environment.get(key)
    found |= {("environment", f"variable {k}"): v for k, v in environment.get("variables", {}).items()}
    return found
