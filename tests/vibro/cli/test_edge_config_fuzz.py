"""A node's configuration, spoilt at random: no crash, no hang, one clear line a mistake."""

from __future__ import annotations

import contextlib
import random
import time
from importlib.resources import files

import pytest

from edge_node.config import load, sample_config
from edge_node.sources.kinds import kind_names
from vibro.cli.nodes import check_node
from vibro.errors import BadInputError

LONGEST_S = 5.0
NASTY = (
    "nan", "inf", "-inf", "-1", "0", "1e400", "1e308", "-0.0", "9" * 400, "0x" + "f" * 5000,
    "true", '""', '"\\u0000"', '"\\u001b[2J"', '"a\\nb"', "'..'", '"/"', '"' + "x" * 9000 + '"',
    "[]", "[[]]", "[1, 'a']", "[nan]", "[-1]", "[" + "1," * 2000 + "]", "{}", "{a = 1}",
    "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "0b1", "1_000", '"Ω\\U0001F600"',
    '["\\u0000"]', '["a", "b\\nc"]', "[" * 300 + "]" * 300, "[0.02, 0.02]", '"dry-run"',
    '"program"', '"mqtt"', '"replay"', '"simulator"', '"tcp"', "18446744073709551616",
)  # fmt: skip
KEYS = ('"a\\nb"', "x", '"\\u001b"', "kind", "id", "'key with spaces'", "files", "ü")


def spoilt(rng: random.Random, text: str) -> bytes:
    """Return a configuration with a few random changes: lines, values, keys, bytes."""
    lines = text.splitlines()
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(len(lines))
        key, sign, _ = lines[at].partition(" = ")
        how = rng.randrange(6)
        if how == 0 and sign and not key.startswith("#"):
            lines[at] = f"{key} = {rng.choice(NASTY)}"
        elif how == 1:
            lines[at] = f"{rng.choice(KEYS)} = {rng.choice(NASTY)}"
        elif how == 2:
            del lines[at]
            lines = lines or [""]
        elif how == 3:
            lines.insert(at, lines[rng.randrange(len(lines))])
        elif how == 4:
            lines.insert(at, rng.choice(("[", "]", "[node]", "[[node]]", "[source.tcp]", "[a.b]")))
        else:
            cut = rng.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:cut] + chr(rng.randrange(0x250)) + lines[at][cut:]
    content = "\n".join(lines).encode("utf-8", "surrogatepass")
    if rng.random() < 0.1:
        at = rng.randrange(len(content) + 1)
        content = content[:at] + rng.randbytes(rng.randrange(8)) + content[at + 1 :]
    return content


def fuzz(folder, seed: int, times: int) -> tuple[int, int]:
    """Check so many spoilt configurations; return how many were sound and how many were not."""
    rng = random.Random(seed)  # noqa: S311 (spoils, guards nothing)
    (folder / "assets.csv").write_text(files("vibro.simulate").joinpath("plant.csv").read_text())
    path = folder / "nodes" / "n1" / "node.toml"
    path.parent.mkdir(parents=True)
    names = {'"my-id"': '"n1"', '"my-site"': '"austin"', '"my-machine"': '"fan-1"'}
    samples = [sample_config(kind) for kind in kind_names()]
    for old, new in names.items():
        samples = [text.replace(old, new) for text in samples]
    counts = [0, 0]
    for _ in range(times):
        content = spoilt(rng, rng.choice(samples))
        path.write_bytes(content)
        began = time.monotonic()
        checked = check_node(path)
        assert time.monotonic() - began < LONGEST_S, content
        for mistake in checked.mistakes:
            assert mistake, content
            assert mistake.isprintable(), (mistake, content)
        counts[bool(checked.mistakes)] += 1
        # What is sound loads; what is not is refused by one kind of error, if by any.
        with contextlib.suppress(BadInputError) if checked.mistakes else contextlib.nullcontext():
            load(path)
    return counts[0], counts[1]


def test_spoilt_configurations_are_refused_in_clear_lines(tmp_path):
    sound, refused = fuzz(tmp_path, 1, 200)
    assert refused > 100
    assert sound + refused == 200


@pytest.mark.prove
def test_a_hundred_thousand_spoilt_configurations(tmp_path):
    sound, refused = fuzz(tmp_path, 2, 100_000)
    assert sound > 0
    assert sound + refused == 100_000
