"""Questions and answers as files, for a network in any language: nothing of it runs here."""
