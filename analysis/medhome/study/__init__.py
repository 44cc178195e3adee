"""Words that every room uses: the study file, months, cells, results, how numbers are written."""
