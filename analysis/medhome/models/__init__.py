"""The statistics: cells and rows in, results out; no engine, no files, no pictures."""
