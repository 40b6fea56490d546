"""`python -m vibro`."""

from vibro.cli.main import main

main()
