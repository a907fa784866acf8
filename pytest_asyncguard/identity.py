"""Who a finding is: one fingerprint for merging, baselines and every report format.

It has no line number, so that an edit elsewhere in the file leaves it alone; no route, test or
duration, so that every sighting of a site has the same one; and only plain strings, so that a
sighting of another process, machine or day can be compared.
"""

from __future__ import annotations

from hashlib import sha256


def fingerprint(code: str, path: str, function: str, source: str | None, index: int) -> str:
    """The identity of a site, as 16 hexadecimal digits.

    ``index`` counts the occurrences of the same source line in the same function. White space is
    of no account: formatting a file does not make its findings new.
    """
    line = " ".join((source or "").split())
    parts = "\0".join((code, path, function, line, str(index)))
    # A file name that is no valid text reaches us with lone surrogates in it.
    return sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:16]
