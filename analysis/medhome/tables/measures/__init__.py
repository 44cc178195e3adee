"""Measures of utilisation, quality and gaps in care: definitions as data, evaluated in the engine."""
