"""Are our numbers those of the reference implementations? Every golden value, ours beside it.

Golden values are facts in ``definitions/validation`` (value, tolerance, reference and version, public origin
of the data); the data themselves are not in the package (``docs/reference-data.md``). A case prepares the
data as the reference was given them and calls the public estimators.
"""

from medhome.validation.comparison import run

__all__ = ["run"]
