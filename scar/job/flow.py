"""Stages and handles: calling a stage gives a handle, whose key follows at once and whose value is made on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from scar.store.keys import Key, make_key
from scar.store.store import Store

T = TypeVar("T")


@dataclass(frozen=True)
class Format(Generic[T]):
    """How the result of a stage lies in the folder of its artefact.

    Attributes:
        save: writes what the function of the stage has returned into a folder.
        load: reads the value of the stage back.
        code: functions and classes that decide what is written and read.
    """

    save: Callable[[Any, Path], object]
    load: Callable[[Path], T]
    code: tuple[Callable[..., Any], ...]

    @classmethod
    def file(cls, kind: Any, name: str) -> Format[Any]:
        """One file, by the methods ``save(path)`` and ``load(path)`` of a class."""
        return cls(lambda value, folder: value.save(folder / name), lambda folder: kind.load(folder / name), (kind,))

    @classmethod
    def folder(cls, kind: Any) -> Format[Any]:
        """Several files, by the methods ``save(folder)`` and ``load(folder)`` of a class."""
        return cls(lambda value, folder: value.save(folder), kind.load, (kind,))

    @classmethod
    def functions(cls, save: Callable[[Any, Path], object], load: Callable[[Path], T]) -> Format[T]:
        """Whatever two functions write and read."""
        return cls(save, load, (save, load))


@dataclass(frozen=True)
class Stage(Generic[T]):
    """A step of Algorithm 1.

    Attributes:
        name: of the stage, and of its folder in the store.
        function: of upstream values and settings; the code that it reaches is part of every key.
        format: how the result is stored; None for what is quicker made than read.
        kept: whether a handle keeps the value; False for what is large and read once.
    """

    name: str
    function: Callable[..., Any]
    format: Format[T] | None = None
    kept: bool = True

    @property
    def code(self) -> tuple[Callable[..., Any], ...]:
        """Functions and classes whose code decides the value."""
        return (self.function, *(self.format.code if self.format else ()))


class Handle(Generic[T]):
    """What a stage makes of its upstream values and settings.

    Args:
        key: derives the identity of the value.
        obtain: makes the value, or reads it.
        upstream: the handles that it is made from.
        kept: keep the value once it is there.
        stored: it lies in the store.
    """

    def __init__(
        self,
        key: Callable[[], Key],
        obtain: Callable[[], T],
        upstream: Sequence[Handle[Any]] = (),
        *,
        kept: bool = True,
        stored: bool = False,
    ) -> None:
        self._key, self._obtain, self._kept = key, obtain, kept
        self.upstream, self.stored = tuple(upstream), stored

    @cached_property
    def key(self) -> Key:
        """The identity of the value, derived without computing or loading anything."""
        return self._key()

    @property
    def value(self) -> T:
        """The value, made or read when it is asked for."""
        return self._value if self._kept else self._obtain()

    @cached_property
    def _value(self) -> T:
        return self._obtain()


@dataclass(frozen=True)
class Besides:
    """What a call of a stage has besides upstream values and settings.

    Attributes:
        runtime: further arguments of the function, which cannot change a number.
        keyed: what stands in the key for arguments of `runtime` that can.
        content: returns fingerprints of what the function reads from files.
    """

    runtime: Mapping[str, Any] = field(default_factory=dict)
    keyed: Mapping[str, Any] = field(default_factory=dict)
    content: Callable[[], Sequence[Key | str]] = tuple


class Flow:
    """Calls stages over a store, or in memory.

    Args:
        store: where artefacts are looked up and published; None computes everything and stores nothing.
    """

    def __init__(self, store: Store | None = None) -> None:
        self.store = store

    def __call__(self, stage: Stage[T], *upstream: Any, besides: Besides = Besides(), **settings: Any) -> Handle[T]:
        """Return what a stage will make; nothing is computed.

        Args:
            stage: to be called.
            upstream: handles, or mappings and sequences of them, in the order of the function's arguments; None for
                what a configuration does without.
            besides: see `Besides`.
            settings: of the function; part of the key without what a dataclass marks as runtime.
        """
        handles = tuple(_handles(upstream))

        def key() -> Key:
            sources = [*(handle.key for handle in handles), *besides.content()]
            return make_key(stage.name, config={**settings, **besides.keyed}, upstream=sources, code=stage.code)

        def compute() -> Any:
            return stage.function(*map(_value, upstream), **settings, **besides.runtime)

        def obtain() -> T:
            form, store = stage.format, self.store
            if form is None or store is None:
                value: T = compute()
                return value

            def make(folder: Path) -> None:
                form.save(compute(), folder)

            return store.load(handle.key, make, form.load, packed=True)

        handle: Handle[T] = Handle(
            key, obtain, handles, kept=stage.kept or self.store is None, stored=stage.format is not None
        )
        return handle

    def given(self, name: str, value: T) -> Handle[T]:
        """Return something that is there already as a handle."""
        return Handle(lambda: Key(name, "given"), lambda: value)


def _value(upstream: Any) -> Any:
    if isinstance(upstream, Handle):
        return upstream.value
    if isinstance(upstream, Mapping):
        return {name: _value(each) for name, each in upstream.items()}
    if isinstance(upstream, list | tuple):
        return tuple(map(_value, upstream))
    return upstream


def _handles(upstream: Any) -> Iterator[Handle[Any]]:
    if isinstance(upstream, Handle):
        yield upstream
    elif isinstance(upstream, Mapping):
        for each in upstream.values():
            yield from _handles(each)
    elif isinstance(upstream, list | tuple):
        for each in upstream:
            yield from _handles(each)


def artefacts(handles: Iterable[Handle[Any]]) -> list[Key]:
    """Return the keys of everything in the store that some handles are, or are made from, the sources first."""
    found: dict[Key, None] = {}

    def visit(handle: Handle[Any]) -> None:
        for each in handle.upstream:
            if each.key not in seen:
                visit(each)
        seen.add(handle.key)
        if handle.stored:
            found[handle.key] = None

    seen: set[Key] = set()
    for handle in handles:
        visit(handle)
    return list(found)
