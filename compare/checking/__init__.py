"""Somebody else's NumPy code, untouched, made into a subject that can be held against the contract."""
