"""The answer of `check`: as lines, as HTML, as a draft of an adapter, as the smallest failing case."""
