"""How sure: intervals and p-values when few organisations are treated.

``recommend`` fixes beforehand which method heads the report; the other modules hold one family of
methods each. Equations and the evidence for the choice: ``docs/methods.md``, few treated organisations.
"""
