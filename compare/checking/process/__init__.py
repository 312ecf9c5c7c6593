"""Somebody's code in a process of its own, the only place where it runs: made, called, read and written over a pipe."""
