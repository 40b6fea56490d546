"""Options of configuration files: each has a default, a unit and one sentence.

An option is a dataclass field made by `option`. Reading a table checks every value and collects
all mistakes, each with its key, its value and the remedy.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, field, fields
from typing import Any

from vibro.records import SLUG

MOST = 2.0**63
"""Numbers are below: there is room for no larger time in ns or size in bytes."""
SHOWN = 80
"""Characters of a wrong value that are quoted."""


def option(
    default: Any,
    unit: str,
    doc: str,
    *,
    low: float | None = None,
    words: tuple[str, ...] = (),
) -> Any:
    """Declare an option.

    Parameters
    ----------
    default
        MISSING for an option that must be given.
    unit : str
        Unit of a number; ``slug``, ``word``, ``path``, ``text`` or their plural for texts.
    doc : str
        One sentence.
    low : float, optional
        Least value that makes sense.
    words : tuple of str, optional
        The only texts allowed.
    """
    meta = {"unit": unit, "doc": doc, "low": low, "words": words}
    if default is MISSING:
        return field(metadata=meta)
    return field(default=default, metadata=meta)


def read_section(
    name: str, kind: type, given: dict[str, Any], mistakes: list[str]
) -> dict[str, Any] | None:
    """Check a table against an options class; return its values, or None with mistakes added."""
    known = {f.name: f for f in fields(kind)}
    before = len(mistakes)
    mistakes += [
        f"{name}.{key} is not known: known are {', '.join(known)}"
        for key in sorted(set(given) - set(known))
    ]
    values: dict[str, Any] = {}
    for key, spec in known.items():
        if key in given:
            values[key] = _value(name, spec, given[key], mistakes)
        elif spec.default is MISSING:
            mistakes.append(f"{name}.{key} is missing: {spec.metadata['doc']}")
    return values if len(mistakes) == before else None


def _value(section: str, spec: Field[Any], value: Any, mistakes: list[str]) -> Any:
    key = f"{section}.{spec.name}"
    kind = str(spec.type)
    if kind.startswith("tuple"):
        return _list(key, spec, value, mistakes)
    if kind == "str":
        _check_word(section, spec, value, mistakes)
    elif kind == "bool":
        if not isinstance(value, bool):
            mistakes.append(f"{key} = {_shown(value)} is neither true nor false")
    else:
        _check_number(key, spec, value, mistakes)
    whole = kind == "float" and isinstance(value, int) and abs(value) < MOST
    return float(value) if whole else value


def _list(key: str, spec: Field[Any], value: Any, mistakes: list[str]) -> tuple[Any, ...]:
    texts = "str" in str(spec.type)
    if not isinstance(value, list) or (texts and not all(isinstance(v, str) for v in value)):
        wanted = "texts" if texts else "numbers"
        mistakes.append(f"{key} = {_shown(value)} is not a list of {wanted}")
        return ()
    if not texts:
        for i, item in enumerate(value):
            _check_number(f"{key}[{i}]", spec, item, mistakes)
    return tuple(value)


def _check_number(key: str, spec: Field[Any], value: Any, mistakes: list[str]) -> None:
    whole = str(spec.type) == "int"
    if isinstance(value, bool) or not isinstance(value, (int,) if whole else (int, float)):
        mistakes.append(f"{key} = {_shown(value)} is not a number ({spec.metadata['unit']})")
    elif not abs(value) < MOST:
        mistakes.append(f"{key} = {_shown(value)} is too large, or not finite")
    elif (low := spec.metadata["low"]) is not None and value < low:
        mistakes.append(
            f"{key} = {value!r} is too small: at least {low:g} {spec.metadata['unit']}".rstrip()
        )


def _shown(value: Any) -> str:
    """Return a value as it was written, shortened: a number may have thousands of digits."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _check_word(section: str, spec: Field[Any], value: Any, mistakes: list[str]) -> None:
    key = f"{section}.{spec.name}"
    words = spec.metadata["words"]
    if not isinstance(value, str):
        mistakes.append(f"{key} = {_shown(value)} is not a text")
    elif words and value not in words:
        mistakes.append(f"{key} = '{value}' is not one of {', '.join(words)}")
    elif spec.metadata["unit"] == "slug" and not SLUG.match(value):
        mistakes.append(f"{key} = '{value}' is not a slug (1 to 63 of a-z, 0-9 and '-')")
    elif spec.metadata["unit"] == "path" and not value.isprintable():
        # Not quoted: it may be the key itself in place of its file's name.
        mistakes.append(f"{key} is not the name of a file: it has line breaks or the like")


def sample_section(name: str, kind: type) -> list[str]:
    """Return the lines of a commented table with every option at its default."""
    lines = [f"# {(kind.__doc__ or '').strip()}", f"[{name}]"]
    for spec in fields(kind):
        unit = f" [{spec.metadata['unit']}]" if spec.metadata["unit"] else ""
        default = "my-" + spec.name if spec.default is MISSING else spec.default
        lines += [f"# {spec.metadata['doc']}{unit}", f"{spec.name} = {_toml(default)}"]
    return lines


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
