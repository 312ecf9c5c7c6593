"""Probes in, observations judged stage by stage, rows out."""
