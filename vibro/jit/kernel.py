"""A function that numba will compile, known to other kernels by numba's own protocol."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, update_wrapper
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")
Variant = Callable[[tuple[Any, ...]], tuple[int, ...]]


def only(args: tuple[Any, ...]) -> tuple[int, ...]:
    """Variant of an entry point that holds no constants: there is one."""
    del args
    return ()


class Kernel:
    """One kernel; call it as the function it wraps.

    Parameters
    ----------
    function : callable
    variant : callable, optional
        Of an entry point that is also compiled ahead of time: tells its arguments' variant, i.e.
        the constants (FFT lengths) that the compiled code holds.
    options : dict
        For numba's ``njit``.
    """

    def __init__(
        self, function: Callable[..., Any], variant: Variant | None, options: dict[str, Any]
    ) -> None:
        update_wrapper(self, function)
        self.function, self.variant, self._options = function, variant, options
        self.compiled: dict[tuple[int, ...], Callable[..., Any]] = {}
        """Machine code that was compiled ahead of time, by variant."""

    @cached_property
    def dispatcher(self) -> Any:
        """What numba makes of it; with the JIT disabled the plain function."""
        import numba  # noqa: PLC0415 (a second and 60 MB that an edge node may be spared)

        dispatcher = numba.njit(**self._options)(self.function)
        if self._options.get("cache"):
            _stamp(dispatcher)
        return dispatcher

    @property
    def _numba_type_(self) -> Any:
        # Numba asks this of every global of a kernel that it compiles.
        return self.dispatcher._numba_type_

    def __call__(self, *args: Any) -> Any:
        """Run it: compiled ahead of time where there is such code for these arguments."""
        if self.compiled and self.variant is not None:
            ready = self.compiled.get(self.variant(args))
            if ready is not None:
                return ready(*args)
        return self.dispatcher(*args)


def _stamp(dispatcher: Any) -> None:
    """Let cached machine code be as old as the sources of all kernels, not of its own file only.

    A kernel carries the pieces that it calls, and numba's cache looks at its own file alone: after
    an update over a kept cache an old piece would go on working unseen.
    """
    from vibro.jit.ahead import sources_digest  # noqa: PLC0415

    # Numba has no public way to say so; with the JIT off there is no cache.
    cache = getattr(dispatcher, "_cache", None)
    if cache is not None:
        file = cache._cache_file  # noqa: SLF001
        file._source_stamp = (file._source_stamp, sources_digest())  # noqa: SLF001


def njit(
    *, variant: Variant | None = None, **options: Any
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Defer numba's ``njit``: compile at the first call.

    Parameters
    ----------
    variant : callable, optional
        Makes it an entry point of the ahead-of-time library, see `Kernel`.
    options
        As numba takes them.
    """

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        return cast("Callable[P, R]", Kernel(function, variant, options))

    return wrap
