"""What does a person-year cost, given what is known of the person? Cost models for any table.

Fits (`fitting`), designs from tables (`design`), errors by cluster (`errors`), specification tests
(`specification`), recycled predictions (`recycled`) and their common front (`estimate`).
Source: ``docs/methods/cost-models.md``.
"""
