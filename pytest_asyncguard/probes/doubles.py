"""Test doubles: calls that a test replaced whole are reported as what they stand for.

A synchronous client that a test replaced by a mock is instant in the test and blocks in
production. When ``unittest.mock.patch`` (pytest-mock uses it) or pytest's ``monkeypatch`` puts
something in the place of a catalogued callable, that thing is remembered; when it is called
during a hold, it counts as the call that it replaced. So does a mock that has a client for its
spec, and a double that is passed for a parameter which the user annotated with a client.
"""

from __future__ import annotations

import functools
import sys
from _thread import get_ident
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

from pytest_asyncguard.catalog import stdlib
from pytest_asyncguard.catalog.clients import CALLS
from pytest_asyncguard.catalog.clients.replaced import Client
from pytest_asyncguard.probes import holds, stdin
from pytest_asyncguard.probes.calls import on_loop
from pytest_asyncguard.probes.cast import Cast, is_async
from pytest_asyncguard.probes.holds import open_holds
from pytest_asyncguard.probes.injected import Injections
from pytest_asyncguard.probes.patching import ImportProbe, ImportWatch
from pytest_asyncguard.probes.roles import Roles, original_of


class DoubleProbe(ImportProbe):
    """Learns of doubles as they are put in place, and of their calls."""

    name = "doubles"

    def __init__(self, clients: Iterable[Client], watch: ImportWatch) -> None:
        super().__init__(watch)
        self._roles = Roles((*stdlib.CALLS, *CALLS, stdlib.SQL_CONNECT), clients)
        self._cast = Cast(self._roles)
        self.injections = Injections(self._cast, self._patcher)
        """For whoever watches FastAPI solve dependencies."""
        self._absent: object = None
        """What pytest keeps in the place of what an owner did not have in its own dict."""

    def install(self) -> None:
        for module in sorted(self._roles.modules()):
            self._watch.when_imported(module, self._roles.met)
        for module in ("unittest.mock", "mock.mock"):
            self._watch.when_imported(module, self._patch_mock)
        self._watch.when_imported("_pytest.monkeypatch", self._patch_monkeypatch)
        self.injections.active = True

    def uninstall(self) -> None:
        super().uninstall()
        self._cast.clear()
        self.injections.clear()

    def _patch_mock(self, module: ModuleType) -> None:
        patcher: Any = module._patch
        items: Any = module._patch_dict
        mixin: Any = module.CallableMixin
        self._patcher.replace(patcher, "__enter__", self._entering(patcher.__enter__))
        self._patcher.replace(items, "_patch_dict", self._entering_items(items._patch_dict))
        self._patcher.replace(mixin, "__call__", self._calling(mixin.__call__))

    def _patch_monkeypatch(self, module: ModuleType) -> None:
        cls: Any = module.MonkeyPatch
        self._absent = getattr(module, "NOTSET", None) or getattr(module, "notset", None)
        self._patcher.replace(cls, "setattr", self._setting(cls.setattr))
        self._patcher.replace(cls, "setitem", self._setting_item(cls.setitem))

    def _noting(self, owner: object, name: str, original: object) -> None:
        try:
            if original is self._absent:
                original = original_of(owner, name)
            instead = self._cast.put(owner, name, original)
            if instead is not None:
                setattr(owner, name, instead)
            elif owner is sys and name == "stdin":
                stdin.watch(sys.stdin)
        except Exception as error:  # noqa: BLE001 - the guard never breaks a test
            self._failed(error)

    def _noting_items(self, items: Any, originals: dict[Any, Any]) -> None:
        """Items were replaced in a dict of callables or clients, or in that of the modules."""
        try:
            for name, original in originals.items():
                if items is sys.modules:
                    self._cast.put_module(str(name), sys.modules.get(str(name)))
                elif (instead := self._cast.put_item(items, name, original)) is not None:
                    items[name] = instead
        except Exception as error:  # noqa: BLE001 - the guard never breaks a test
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if (inbox := holds.inbox()) is not None:
            inbox.failed(self.name, error)

    def _entering(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def __enter__(self_: Any) -> Any:  # noqa: N807
            __tracebackhide__ = True
            entered = original(self_)
            if holds.inbox() is not None and hasattr(self_, "target"):
                self._noting(self_.target, self_.attribute, self_.temp_original)
            return entered

        return __enter__

    def _entering_items(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def _patch_dict(self_: Any) -> Any:
            __tracebackhide__ = True
            entered = original(self_)
            if holds.inbox() is not None:
                before = getattr(self_, "_original", None) or {}
                self._noting_items(self_.in_dict, {name: before.get(name) for name in self_.values})
            return entered

        return _patch_dict

    def _setting(self, original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original)
        def setattr_(self_: Any, *args: Any, **kwargs: Any) -> None:
            __tracebackhide__ = True
            before = len(self_._setattr)
            original(self_, *args, **kwargs)
            if holds.inbox() is not None and len(self_._setattr) > before:
                self._noting(*self_._setattr[-1])

        return setattr_

    def _setting_item(self, original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original)
        def setitem(self_: Any, dic: Any, name: Any, value: Any) -> None:
            __tracebackhide__ = True
            before = dic.get(name) if isinstance(dic, Mapping) else None
            original(self_, dic, name, value)
            if holds.inbox() is not None:
                self._noting_items(dic, {name: before})

        return setitem

    def _calling(self, original: Callable[..., Any]) -> Callable[..., Any]:
        get_hold, cast = open_holds.get, self._cast

        @functools.wraps(original)
        def __call__(self_: Any, /, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
            __tracebackhide__ = True
            hold = get_hold(get_ident())
            role = row = None
            if hold is None:
                role = cast.direct(self_)
            elif not is_async(self_):
                try:
                    role, row = cast.called(self_, hold, sys._getframe(1))
                except Exception as error:  # noqa: BLE001 - the guard never breaks a test
                    hold.request.inbox.failed(self.name, error)
            if hold is None or row is None:
                answer = original(self_, *args, **kwargs)
            else:
                answer = on_loop(hold, row, functools.partial(original, self_), args, kwargs)
            if role is not None:
                cast.answered(role, answer)
            return answer

        return __call__
