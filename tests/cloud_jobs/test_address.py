"""Where the store lies: what the configuration may say, and what is never shown of it."""

from __future__ import annotations

import pytest

from cloud_jobs.config import CloudConfig, ServicesSection
from cloud_jobs.store import address
from vibro.errors import BadInputError

SECRET = "p@ss/word: 1"  # noqa: S105


@pytest.fixture
def named(tmp_path):
    """URL of a store that is named so in the configuration of a home with a password's file."""
    (tmp_path / "password").write_text(SECRET + "\n")

    def url_of(store: str, secret: str = "password"):  # noqa: S107 (its file)
        services = ServicesSection(store=store, store_password_file=secret)
        return address.of_config(CloudConfig(tmp_path, services))

    return url_of


def test_without_a_name_the_store_is_a_file_of_the_home(tmp_path):
    assert address.of_home(tmp_path / "new").database == str(tmp_path / "new" / "store.db")
    assert (tmp_path / "new").is_dir()


def test_a_files_name_starts_from_the_home(named, tmp_path):
    assert named("sqlite:///other/x.db").database == str(tmp_path / "other" / "x.db")
    assert named("sqlite:////srv/x.db").database == "/srv/x.db"


@pytest.mark.parametrize("kind", ["postgresql", "postgres", "postgresql+psycopg"])
def test_the_password_is_joined_from_its_file_and_never_shown(named, kind):
    url = named(f"{kind}://vibro@localhost:5433/plant")
    assert (url.drivername, url.password, url.port) == ("postgresql+psycopg", SECRET, 5433)
    shown = f"{url} {url!r} {url.render_as_string()}"
    assert "vibro:***@localhost" in shown
    assert "word" not in shown


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", ""])
def test_on_this_machine_a_connection_needs_no_certificate(named, host):
    assert "sslmode" not in named(f"postgresql://vibro@{host}/plant").query


@pytest.mark.parametrize("where", ["db.plant.example/p", "10.0.0.1/p", "/p?host=db.plant.example"])
def test_beyond_this_machine_the_certificate_is_verified_unless_said_otherwise(named, where):
    url = f"postgresql://vibro@{where}"
    assert named(url).query["sslmode"] == "verify-full"
    said = url + ("&" if "?" in url else "?") + "sslmode=disable"
    assert named(said).query["sslmode"] == "disable"


@pytest.mark.parametrize(
    ("store", "said"),
    [
        (f"postgresql://vibro:{SECRET}@localhost/plant", "holds a password|is no URL"),
        ("postgresql://vibro:hidden@localhost/plant", "holds a password: put it into a file"),
        ("postgresql://localhost/plant?password=hidden", "holds a password: put it into a file"),
        ("hidden", "is no URL: write sqlite"),
        ("postgresql://vibro@localhost:hidden/plant", "is no URL: write sqlite"),
        ("mysql://vibro@localhost/hidden", "is no store's URL: write sqlite"),
        ("postgresql://vibro@localhost", "is no store's URL: write sqlite"),
        ("sqlite://", "is no store's URL: write sqlite"),
    ],
)
def test_what_cannot_be_used_is_refused_without_being_shown(named, store, said):
    with pytest.raises(BadInputError, match=f"^services.store ({said})[^\n]*$") as refused:
        named(store)
    assert "hidden" not in str(refused.value)
    assert "word:" not in str(refused.value).replace("a password: put", "")


def test_a_password_that_is_not_there_is_named_by_its_key(named):
    with pytest.raises(BadInputError, match=r"services\.store_password_file = 'none'"):
        named("postgresql://vibro@localhost/plant", "none")
