"""Models of a framework, watched while they run: what `finding` is for NumPy."""
