"""Writes the golden files anew, and removes those that nothing makes any more."""

from __future__ import annotations

from tests.golden import HERE, outputs

texts = outputs()
for stale in {path for path in HERE.glob("*/*.*") if path.suffix != ".pyc"}:
    if stale.relative_to(HERE).as_posix() not in texts:
        stale.unlink()
for name, text in texts.items():
    target = HERE / name
    target.parent.mkdir(exist_ok=True)
    target.write_text(text, encoding="utf-8")
