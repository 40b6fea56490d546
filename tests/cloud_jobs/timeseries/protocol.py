"""A plain reader of line protocol that shares nothing with the writer."""

from __future__ import annotations

from typing import NamedTuple


class Point(NamedTuple):
    measurement: str
    tags: dict[str, str]
    fields: dict[str, object]
    t_ns: int


def split(text: str, at: str, *, quotes: bool = False) -> list[str]:
    """Split where a character stands that is neither escaped nor inside double quotes."""
    parts, word, i, quoted = [], "", 0, False
    while i < len(text):
        if text[i] == "\\" and i + 1 < len(text):
            word += text[i : i + 2]
            i += 2
            continue
        quoted ^= quotes and text[i] == '"'
        if text[i] == at and not quoted:
            parts.append(word)
            word = ""
        else:
            word += text[i]
        i += 1
    return [*parts, word]


def plain(text: str) -> str:
    for c in ",= ":
        text = text.replace("\\" + c, c)
    return text


def value(text: str) -> object:
    if text.startswith('"'):
        return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    if text in ("true", "false"):
        return text == "true"
    return int(text[:-1]) if text.endswith("i") else float(text)


def parse(lines: bytes) -> list[Point]:
    text = lines.decode()
    assert not text or text.endswith("\n")
    found = []
    for row in text.split("\n")[:-1]:
        head = split(row, " ")[0]
        fields, stamp = row[len(head) + 1 :].rsplit(" ", 1)
        name, *tags = split(head, ",")
        pairs = [split(t, "=") for t in tags]
        told = [split(f, "=", quotes=True) for f in split(fields, ",", quotes=True)]
        found.append(
            Point(
                plain(name),
                {plain(k): plain(v) for k, v in pairs},
                {plain(k): value(v) for k, v in told},
                int(stamp),
            )
        )
    return found
