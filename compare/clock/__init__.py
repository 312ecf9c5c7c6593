"""How fast the implementations are, and how sure that is: timed in turns, as ratios of paired rounds."""
