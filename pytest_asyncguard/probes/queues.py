"""``queue.SimpleQueue``: a subclass of it, since the methods of a type in C cannot be wrapped."""

from __future__ import annotations

from types import ModuleType

from pytest_asyncguard.catalog.stdlib import SIMPLE_QUEUE_GET
from pytest_asyncguard.probes.calls import wrap
from pytest_asyncguard.probes.patching import ImportProbe


class QueueProbe(ImportProbe):
    """Puts a class whose ``get`` is watched in the place of ``queue.SimpleQueue``."""

    name = "queues"

    def install(self) -> None:
        self._watch.when_imported("queue", self._patch)

    def _patch(self, module: ModuleType) -> None:
        original = module.SimpleQueue
        watched = type(
            original.__name__,
            (original,),
            {
                "__doc__": original.__doc__,
                "__module__": original.__module__,
                "__slots__": (),
                "get": wrap(original.get, SIMPLE_QUEUE_GET, method=True),
            },
        )
        self._patcher.replace(module, "SimpleQueue", watched)
