"""Many trainings with other settings each: read, placed, kept as rows, shown."""
