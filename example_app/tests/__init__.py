"""The shop's own tests: they pass as they are, and most of them fail under ``--asyncguard``."""
