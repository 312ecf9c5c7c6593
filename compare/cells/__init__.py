"""Cells: what runs in a process of its own, how it is bounded, ended, placed elsewhere and kept."""
