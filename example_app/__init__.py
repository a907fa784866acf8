"""A small shop, written three ways: what blocks the event loop, and the two ways to mend it.

Most of its endpoints come in three versions with the same answer. ``.../blocking`` is the mistake:
an ``async def`` that holds the event loop, and with it every other request. ``.../sync`` is the
same code in a plain ``def``, which FastAPI runs in a worker thread. ``.../async`` awaits instead.

``expected.py`` lists what ``pytest --asyncguard example_app`` finds here, and what it does not.
"""
