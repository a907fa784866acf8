"""Cast: the doubles that are in place, and the role that each plays.

A double is a mock, or a function, class, object or module of the test's own. A mock is asked for
its role when it is called; of the others, what they consist of is wrapped.
"""

from __future__ import annotations

import functools
import inspect
import sys
from _thread import get_ident
from collections.abc import Callable
from types import (
    BuiltinFunctionType,
    FrameType,
    FunctionType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet, ref

from pytest_asyncguard.catalog.rows import Call
from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.calls import on_loop, row_of, unseen
from pytest_asyncguard.probes.holds import Hold, open_holds
from pytest_asyncguard.probes.roles import Role, Roles, is_library

_FUNCTIONS: Final = (FunctionType, BuiltinFunctionType, MethodType, functools.partial)
_NAMESPACES: Final = (ModuleType, SimpleNamespace)


class Standin:
    """Stands in for a callable that does not become a method when it is kept in a class."""

    def __init__(self, call: Callable[..., Any], double: Any) -> None:
        self._call = call
        self._double = double

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        return self._call(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._double, name)


class Cast:
    """The doubles that are in place, and what each stands for.

    Nothing is kept alive: a test's doubles go with the test.
    """

    def __init__(self, roles: Roles) -> None:
        self._roles = roles
        self._mocks: dict[int, tuple[ref[Any], Role]] = {}
        self._ours: WeakKeyDictionary[Any, Role] = WeakKeyDictionary()
        self._acting: WeakSet[type] = WeakSet()
        self._replaced: WeakKeyDictionary[type, set[str]] = WeakKeyDictionary()
        """Of classes of the tests' own: the names of methods that have a wrapper."""
        self._wrappers: WeakSet[Any] = WeakSet()
        self._asking = False

    def clear(self) -> None:
        for cls, names in list(self._replaced.items()):
            for name in names:
                self._give_back(cls, name)
        self._mocks.clear()
        self._ours.clear()
        self._acting.clear()
        self._replaced.clear()
        self._wrappers.clear()
        self._roles.clear()

    # --- what is put in place ----------------------------------------------------------------

    def put(self, owner: object, name: str, original: object) -> Any:
        """``owner.name`` was replaced. Returns what is to stand there instead, or None."""
        double = inspect.getattr_static(owner, name, None)
        if double is None:  # a proxy
            double = getattr(owner, name, None)
        role = self._known(original) or self._roles.of(owner, name, original, row_of(original))
        return self._cast(double, role) if role is not None and double is not None else None

    def put_item(self, items: Any, name: object, original: object) -> Any:
        """``items[name]`` was replaced. Returns what is to stand there instead, or None."""
        role = self._known(original) or self._roles.of(items, str(name), original, row_of(original))
        double = items[name] if role is not None else None
        return self._cast(double, role) if role is not None and double is not None else None

    def put_module(self, name: str, double: object) -> None:
        """``sys.modules[name]`` was replaced: a mock shows its role when it is called."""
        if type(double) in _NAMESPACES and name.partition(".")[0] in self._roles.packages:
            self._dress(double, Role(module=name))

    def _known(self, original: object) -> Role | None:
        """The role of what is a double already."""
        if is_mock(original):
            return self.direct(original)
        return self._ours.get(original) if type(original) in (FunctionType, Standin) else None

    def _cast(self, double: Any, role: Role) -> Any:
        """Give ``double`` a role. Returns what is to stand in its place, or None."""
        if is_async(double):
            pass
        elif is_mock(double):
            self._remember(double, role)
        elif type(double) in _FUNCTIONS:
            return self._wrapped(double, role)
        elif isinstance(double, type):
            self._act(double, role, made=False, instead=True)
        elif type(double) in _NAMESPACES:
            self._dress(double, role)
        elif double is not None:
            self._act(type(double), role, made=True, instead=True)
            self._furnish(double, role)
        return None

    def _remember(self, mock: Any, role: Role) -> None:
        key = id(mock)
        self._mocks[key] = (ref(mock, lambda _: self._mocks.pop(key, None)), role)

    def _wrapped(self, double: Any, role: Role) -> Any:
        """``double``, reported when it is called on the loop."""
        row = self._roles.call(role)
        if row is None and self._roles.answer(role) is None:
            return None
        get_hold = open_holds.get

        def call(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            hold = get_hold(get_ident())
            if hold is None or row is None:
                answer = double(*args, **kwargs)
            else:
                answer = on_loop(hold, row, double, args, kwargs)
            self.answered(role, answer)
            return answer

        if isinstance(double, FunctionType):
            wrapper = self._wrapper(call, double)
            self._ours[wrapper] = role
            return wrapper
        standin = Standin(call, double)
        self._ours[standin] = role
        return standin

    def _act(self, cls: type, role: Role, *, made: bool, instead: bool = False) -> None:
        """``cls`` is a class of the test's own, and plays ``role``, or ``made`` objects which do.

        Its methods stand for those of the client; so do those of a subclass that is there
        ``instead`` of it.
        """
        if is_library(cls) or cls in self._acting:
            return
        if self._roles.of_value(cls) is not None and (not instead or _is_own(cls, role)):
            return  # what a real client does is seen by itself
        self._acting.add(cls)
        product: Role | None = role
        if not made:
            product = self._roles.answer(role)
            if "__init__" in vars(cls) and self._roles.call(role) is not None:
                self._replace(cls, "__init__", self._wrapped(vars(cls)["__init__"], role))
        if product is None:
            return
        self._furnish(cls, product)
        if not made and "__init__" in vars(cls):
            self._replace(cls, "__init__", self._making(vars(cls)["__init__"], product))
        self._watch_methods(cls, product)

    def _watch_methods(self, cls: type, product: Role) -> None:
        for base in cls.__mro__:
            for name, member in () if is_library(base) else list(vars(base).items()):
                plays = not name.startswith("__") or name in ("__enter__", "__call__")
                bound = isinstance(member, (classmethod, staticmethod))
                method = member.__func__ if bound else member
                if not plays or not isinstance(method, FunctionType) or is_async(method):
                    continue
                if (instead := self._wrapped(method, product.then(name))) is not None:
                    self._replace(base, name, type(member)(instead) if bound else instead)

    def _replace(self, cls: type, name: str, instead: object) -> None:
        self._replaced.setdefault(cls, set()).add(name)
        setattr(cls, name, instead)

    def _give_back(self, cls: type, name: str) -> None:
        """Put back what ``cls.name`` was, unless a test has put something else there since."""
        member: Any = vars(cls).get(name)
        bound = isinstance(member, (classmethod, staticmethod))
        method: Any = member.__func__ if bound else member
        if type(method) is FunctionType and method in self._wrappers:
            method = inspect.unwrap(method, stop=lambda each: each not in self._wrappers)
            setattr(cls, name, type(member)(method) if bound else method)

    def _wrapper(self, function: Any, original: Any) -> Any:
        wrapper: Any = functools.update_wrapper(unseen(function), original)
        self._wrappers.add(wrapper)
        return wrapper

    def _making(self, original: Any, product: Role) -> Any:
        """``original``, which makes a double; what that consists of has roles, too."""

        def __init__(self_: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            __tracebackhide__ = True
            original(self_, *args, **kwargs)
            try:
                self._furnish(self_, product)
            except Exception as error:  # noqa: BLE001 - the guard never breaks a test
                _failed(error)

        return self._wrapper(__init__, original)

    def _furnish(self, double: Any, role: Role) -> None:
        """Give what a double of the test's own consists of the roles that it has by its names.

        Only what the client has as well, and what is of the same module: what else a double keeps
        may be at work elsewhere.
        """
        cls = double if isinstance(double, type) else type(double)
        if is_library(cls):
            return
        for name, member in list(getattr(double, "__dict__", {}).items()):
            if name.startswith("_") or type(member) in _DATA or is_async(member):
                continue
            if role.depth >= _DEPTH or not self._roles.has(role, name):
                continue
            if type(member) in _FUNCTIONS:
                ours = type(member) is FunctionType and member in self._ours
                skip = ours or double is cls
                instead = None if skip else self._wrapped(member, role.then(name))
                if instead is not None:
                    setattr(double, name, instead)
            elif is_mock(member) or type(member).__module__ in (cls.__module__, "types"):
                self._play(member, role.then(name))

    def _dress(self, namespace: Any, role: Role) -> None:
        """Give the members of a module or namespace the roles that they have by their names."""
        for name, value in list(vars(namespace).items()):
            if not name.startswith("_") and role.depth < _DEPTH:
                instead = self._cast(value, role.then(name))
                if instead is not None:
                    setattr(namespace, name, instead)

    def answered(self, role: Role, answer: object) -> None:
        """A double with ``role`` was called, and this is what it answered."""
        if answer is None or type(answer) in _DATA:
            return
        try:
            product = self._roles.answer(role)
            if product is None or is_async(answer):
                return
            self._play(answer, product)
        except Exception as error:  # noqa: BLE001 - the guard never breaks a test
            _failed(error)

    # --- what is injected --------------------------------------------------------------------

    def expects(self, dependant: Any) -> bool:
        """Whether something in the place of a client may be passed to the callable."""
        return any(
            self._roles.expected(dependant.call, dependency.name, dependency.call) is not None
            for dependency in dependant.dependencies
        )

    def injected(self, dependant: Any, dependency: Any, value: Any, overridden: bool) -> None:
        """``value`` is passed to a callable which depends on it."""
        if type(value) in _DATA or is_async(value):
            return
        role = self._roles.expected(dependant.call, dependency.name, dependency.call)
        if role is not None:
            self._play(value, role, instead=overridden)
        elif overridden and not is_mock(value) and not is_library(type(value)):
            # A service of the app's own, and in it a fake of the test's.
            for name, member in list(getattr(value, "__dict__", {}).items()):
                if type(member) not in _DATA and not is_mock(member):
                    role = self._attribute(type(value), name)
                    if role is not None:
                        self._play(member, role, instead=True)

    def _play(self, value: Any, role: Role, *, instead: bool = False) -> None:
        """``value`` is in the place of a product of a client."""
        if is_mock(value):
            if self._role(value) is None:
                self._remember(value, role)
        elif type(value) in _NAMESPACES:
            self._dress(value, role)
        elif type(value) not in _FUNCTIONS and not isinstance(value, type):
            self._act(type(value), role, made=True, instead=instead)
            self._furnish(value, role)

    # --- what is called ----------------------------------------------------------------------

    def _role(self, mock: Any) -> Role | None:
        """The role of a mock: its own, or that which it has from the mock it came from."""
        path: list[str] = []
        node = mock
        for _ in range(64):
            state = node.__dict__
            role = self.direct(node)
            if role is None and (model := _model(state)) is not None:
                role = self._roles.of_value(model)
                role = role.then("__call__") if role is not None else None
            parent = state.get("_mock_new_parent")
            if role is None and parent is None:
                role = self._module(node)
            if role is not None:
                return role.then(*reversed(path)) if path else role
            if parent is None:
                return None
            path.append(state.get("_mock_new_name") or "")
            node = parent
        return None

    def _module(self, mock: Any) -> Role | None:
        """The role of a mock that stands in ``sys.modules``."""
        for name in self._roles.packages:
            if sys.modules.get(name) is mock:
                return Role(module=name)
        return None

    def direct(self, mock: Any) -> Role | None:
        """The role of a mock that was put in place itself."""
        known = self._mocks.get(id(mock))
        return known[1] if known is not None and known[0]() is mock else None

    def called(self, mock: Any, hold: Hold, caller: FrameType) -> tuple[Role | None, Call | None]:
        """The role of a mock that is being called, and the row for that."""
        if self._asking:
            return None, None  # to look at a mock may be to call it
        self._asking = True
        try:
            role = self._role(mock) or self._passed(mock, hold, caller)
            return role, self._roles.call(role) if role is not None else None
        finally:
            self._asking = False

    def _passed(self, mock: Any, hold: Hold, caller: FrameType) -> Role | None:
        """The role of a mock that was passed for something annotated with a client."""
        root, path = mock, []
        while (parent := root.__dict__.get("_mock_new_parent")) is not None:
            path.append(root.__dict__.get("_mock_new_name") or "")
            root = parent
        if is_async(root) or root.__dict__.get("_spec_class") is not None:
            return None
        role = self._parameter(root, hold, caller)
        if role is None:
            return None
        self._remember(root, role)
        return role.then(*reversed(path))

    def _parameter(self, root: Any, hold: Hold, caller: FrameType) -> Role | None:
        code = caller.f_code
        endpoint = hold.request.scopes[-1].get("endpoint")
        function = inspect.unwrap(endpoint) if endpoint is not None else None
        if getattr(function, "__code__", None) is not code:
            function = _function(caller)
        for name, value in caller.f_locals.items():
            if value is root and function is not None:
                if (role := self._roles.hints(function).get(name)) is not None:
                    return role
            elif name == "self" and not is_mock(value):
                for attribute, member in getattr(value, "__dict__", {}).items():
                    if member is root:
                        return self._attribute(type(value), attribute)
        return None

    def _attribute(self, cls: type, name: str) -> Role | None:
        """The role of an attribute, by the annotations of the class, or of what it is made with."""
        made = self._roles.hints(vars(cls).get("__init__"))
        return made.get(name) or made.get(name.lstrip("_")) or self._roles.fields(cls).get(name)


_DATA: Final = (str, bytes, int, float, dict, list, tuple, set, type)
_DEPTH: Final = 3


def _model(state: dict[str, Any]) -> object:
    """The class that a mock has for its spec, or the object that it wraps."""
    spec = state.get("_spec_class")
    return spec if isinstance(spec, type) else state.get("_mock_wraps")


def _failed(error: Exception) -> None:
    if (inbox := holds.inbox()) is not None:
        inbox.failed("doubles", error)


def _is_own(cls: type, role: Role) -> bool:
    """Whether ``cls`` is what stood there before, or made like that."""
    return role.cls is not None and issubclass(role.cls, cls)


def is_mock(value: object) -> bool:
    """Whether ``value`` is a mock of ``unittest.mock``."""
    return hasattr(type(value), "mock_add_spec")


def is_async(double: object) -> bool:
    """Whether the call of a double gives something to await."""
    # Not isinstance: a mock says that it is what it has for a spec.
    if type(double) in _FUNCTIONS:
        return inspect.iscoroutinefunction(double)
    # By its class: any mock that was made after a coroutine function says that it is one.
    return any(base.__name__ == "AsyncMockMixin" for base in type(double).__mro__)


def _function(frame: FrameType) -> Any:
    """The function that runs in ``frame``, where its name leads to it."""
    found: Any = None
    for part in frame.f_code.co_qualname.split("."):
        found = frame.f_globals.get(part) if found is None else vars(found).get(part)
        if found is None or not hasattr(found, "__dict__"):
            return None
    found = inspect.unwrap(found) if callable(found) else found
    return found if getattr(found, "__code__", None) is frame.f_code else None
