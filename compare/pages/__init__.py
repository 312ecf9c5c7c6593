"""Rows in, pages and pictures out: `report` runs and writes, `plots` draws. Units and colours are chosen here."""
