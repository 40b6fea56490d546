"""Compiling kernels ahead of time, with ``numba.pycc``: the only place that knows it.

What is compiled is what a stream like the given ones calls: they are run on a second of noise while
every entry point's argument types are noted. Numba calls ``pycc`` pending deprecation; its
successor would be used here and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vibro.errors import VibroError
from vibro.jit.ahead import MODULE, STAMP, fingerprint
from vibro.jit.kernel import Kernel

Seen = dict[tuple[str, tuple[Any, ...]], tuple[Kernel, tuple[Any, ...]]]


def build(folder: Path, examples: Sequence[Callable[[], None]]) -> list[str]:
    """Compile what the examples call into a library.

    Parameters
    ----------
    folder : Path
        Receives the library; another one in it is replaced once the new one is whole.
    examples : sequence of callable
        Each runs one kind of stream.

    Returns
    -------
    list of str
        What was compiled: kernel and variant.

    Raises
    ------
    VibroError
        If there is no C compiler to link with, or it failed.
    """
    with _noted() as seen:
        for example in examples:
            example()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".kernels-") as made:
        entries = _compile(seen, Path(made))
        (file,) = Path(made).glob(f"{MODULE}*")
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        stamp = {**fingerprint(), "file": file.name, "sha256": digest, "entries": entries}
        (Path(made) / STAMP).write_text(json.dumps(stamp, indent=1), encoding="utf-8")
        # Its own folder is replaced: a process that runs the old library keeps it open.
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)
    return [f"{e['kernel']} {e['variant']}" for e in entries]


@contextmanager
def _noted() -> Iterator[Seen]:
    """Note the argument types of every call of an entry point."""
    from numba import typeof  # noqa: PLC0415

    seen: Seen = {}
    plain = Kernel.__call__

    def call(self: Kernel, *args: Any) -> Any:
        if self.variant is not None:
            name = f"{self.function.__module__}:{self.function.__name__}"
            key: tuple[str, tuple[Any, ...]] = (name, self.variant(args))
            seen[key] = (self, tuple(typeof(a) for a in args))
        return plain(self, *args)

    Kernel.__call__ = call  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        Kernel.__call__ = plain  # type: ignore[method-assign]


def _compile(seen: Seen, folder: Path) -> list[dict[str, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pending deprecation
        from numba.pycc.cc import CC  # noqa: PLC0415

        compiler = CC(MODULE)
        compiler.output_dir = str(folder)
        compiler.target_cpu = "host"
        entries = []
        for i, ((name, variant), (kernel, types)) in enumerate(sorted(seen.items(), key=_key)):
            symbol = f"entry_{i}"
            returns = kernel.dispatcher.overloads[types].signature.return_type
            compiler.export(symbol, returns(*types))(_called(kernel, len(types)))
            entries.append({"kernel": name, "variant": list(variant), "symbol": symbol})
        try:
            with _for_this_processor():
                compiler.compile()
        except Exception as error:
            raise VibroError(
                f"kernels could not be compiled ({error}): a C compiler is needed, e.g. gcc; "
                "without a library the edge compiles at its first start"
            ) from error
    return entries


@contextmanager
def _for_this_processor() -> Iterator[None]:
    """Compile for the instruction sets that this processor says it has, as the JIT does.

    ``pycc`` takes those of the processor's name, which a virtual machine may not all have.
    """
    from numba.core.codegen import AOTCPUCodegen  # noqa: PLC0415

    plain = AOTCPUCodegen._customize_tm_features  # noqa: SLF001

    def features(self: Any) -> Any:
        return self._get_host_cpu_features()

    AOTCPUCodegen._customize_tm_features = features  # type: ignore[method-assign] # noqa: SLF001
    try:
        yield
    finally:
        AOTCPUCodegen._customize_tm_features = plain  # type: ignore[method-assign] # noqa: SLF001


def _key(item: tuple[Any, Any]) -> str:
    return str(item[0])


def _called(kernel: Kernel, arguments: int) -> Callable[..., Any]:
    """Make a function that only calls the kernel: so it keeps the flags it is compiled with."""
    names = ", ".join(f"a{i}" for i in range(arguments))
    space: dict[str, Any] = {"kernel": kernel}
    exec(f"def entry({names}):\n    return kernel({names})\n", space)  # noqa: S102 (our own text)
    made: Callable[..., Any] = space["entry"]
    return made
