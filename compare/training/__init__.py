"""Trainings side by side, what several starts say together, and what accuracy says of known defects."""
