"""What do a study's members cost, by the models of `cost_models`, and how near do these come?

From member-periods to tables (`members`), fits with folds of practices (`fits`), the program's effect by
recycled predictions (`effects`), the accuracy panel (`panel`) and its common front (`describe`).
Source: ``docs/methods/cost-models.md``, in a study.
"""
