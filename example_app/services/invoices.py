"""Invoices, drawn by a program of their own."""

from __future__ import annotations

import asyncio
import subprocess
import sys

# Stands in for a real renderer. -I and -S: it needs nothing of its environment, and starts fast.
RENDERER = [sys.executable, "-I", "-S", "-c", "import sys; print('Invoice', sys.argv[1])"]


def render(order_id: int) -> str:
    """Draw an invoice; for a worker thread."""
    command = [*RENDERER, str(order_id)]
    done = subprocess.run(command, capture_output=True, check=True)  # blocks: invoice-renderer
    return done.stdout.decode().strip()


async def render_async(order_id: int) -> str:
    """Draw an invoice; the loop goes on while the program runs."""
    process = await asyncio.create_subprocess_exec(
        *RENDERER, str(order_id), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode or 1, RENDERER)
    return output.decode().strip()
