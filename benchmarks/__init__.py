"""Long simulations and timings: commands of their own, whose tables are kept in ``docs/benchmarks/``."""
