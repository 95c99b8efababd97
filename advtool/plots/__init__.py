"""Figures out of reports: `records` reads them, `table` makes rows of them, `chart` draws."""
