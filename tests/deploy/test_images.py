"""The images: what they are made of."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.deploy.builder import stages
from tests.deploy.tools import DEPLOY, ROOT, dockerfile_check
from tests.services.fixtures import missing_is_told

REQUIREMENTS = DEPLOY / "requirements"
PINNED = re.compile(r"^([a-z0-9.-]+)==", re.MULTILINE)
CLOUDS_OWN = {
    "alembic", "deltalake", "influxdb-client", "jinja2", "matplotlib", "pandas", "psycopg",
    "pyarrow", "scikit-learn", "scipy", "sqlalchemy", "starlette", "uvicorn",
}  # fmt: skip


def pins(text: str) -> dict[str, set[str]]:
    """Return version, markers and hashes of every package, as one text each."""
    blocks = re.split(r"\n(?=[a-z0-9])", text)
    found: dict[str, set[str]] = {}
    for block in blocks:
        lines = [line for line in block.splitlines() if not line.lstrip().startswith("#")]
        whole = re.sub(r"\s*\\\s*", " ", " ".join(lines)).strip()
        if match := PINNED.match(whole):
            # A marker may say more in the larger lock: the version and its hashes are what counts.
            version = re.split(r"[ ;]", whole)[0]
            found.setdefault(match[1], set()).update({version, *re.findall(r"sha256:\w+", whole)})
    return found


@pytest.mark.parametrize(
    ("image", "lock"), [("cloud", "lock.txt"), ("edge", "lock.txt"), ("kernels", "bench.txt")]
)
def test_images_are_locked_to_what_is_tested(image, lock):
    ours = pins((REQUIREMENTS / f"{image}.txt").read_text())
    tested = pins((ROOT / "requirements" / lock).read_text())
    assert ours
    for name, pinned in ours.items():
        assert pinned <= tested.get(name, set()), f"{name}: run `sh deploy/lock.sh`"
        assert any(p.startswith("sha256:") for p in pinned), name


def test_the_edges_image_has_none_of_the_clouds_libraries():
    edge = pins((REQUIREMENTS / "edge.txt").read_text())
    cloud = pins((REQUIREMENTS / "cloud.txt").read_text())
    assert not CLOUDS_OWN & set(edge)
    assert set(cloud) >= CLOUDS_OWN - {"pandas"}
    assert {"kafka-python", "cryptography", "zstandard"} <= set(edge) & set(cloud)


def test_the_builder_is_sent_what_is_copied_and_no_secret():
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text().split("\n")
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    assert "*" in ignore
    assert not any("secrets".startswith(a) or a == "deploy" for a in allowed)
    copied = {
        source
        for _, steps in stages((DEPLOY / "Dockerfile").read_text()).values()
        for word, rest in steps
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert copied
    for source in copied:
        assert (ROOT / source).exists()
        assert any(source == a or source.startswith(f"{a}/") for a in allowed), source


def test_nobody_is_root_and_the_last_stage_has_no_compiler():
    text = (DEPLOY / "Dockerfile").read_text()
    found = stages(text)
    assert found["base"][0].endswith("-slim-bookworm")
    assert {found["edge"][0], found["cloud"][0]} == {"base"}
    assert ("USER", "10001:10001") in found["base"][1]
    assert all(word != "USER" for stage in ("edge", "cloud") for word, _ in found[stage][1])
    # What is installed is checked against a hash, and nothing else is fetched.
    for line in re.findall(r"pip install [^&\n]*", text):
        assert "--require-hashes" in line or "--no-index" in line, line


@pytest.mark.prove
def test_docker_build_check_finds_nothing():
    with missing_is_told():
        program = dockerfile_check()
    done = subprocess.run(
        [program, DEPLOY / "Dockerfile", "edge", "cloud"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
