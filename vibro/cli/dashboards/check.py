"""`vibro dashboards check`: every query of ours, asked of a real InfluxDB."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vibro.cli.dashboards.options import FILE, PAGE, ca_of, ca_option, server_of, token_of
from vibro.cli.main import echo_json
from vibro.cli.values import Positive
from vibro.errors import VibroError

if TYPE_CHECKING:
    from dashboards.check import Answer


@click.command()
@click.option(
    "--url", default="http://127.0.0.1:8086", show_default=True, help="Address of the InfluxDB."
)
@click.option(
    "--token-file", type=FILE, required=True, metavar="FILE",
    help="File whose first line is a token that may read the buckets.",
)  # fmt: skip
@click.option("--org", default="vibro", show_default=True, help="Organisation.")
@click.option(
    "--bucket", default="vibro", show_default=True,
    help="Bucket of full resolution; those of hours and days add _1h and _1d.",
)  # fmt: skip
@click.option(
    "--hours", type=Positive("h", least=0.01), default=24.0, show_default=True, metavar="H",
    help="Range of the dashboards, which ends with the newest status there is.",
)  # fmt: skip
@ca_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(
    url: str, token_file: Path, org: str, bucket: str, hours: float, ca_file: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Ask an InfluxDB every query of the dashboards and alert rules.

    Variables are filled in with all that there is. It fails by any query that is refused or finds
    nothing.
    """
    token, ca, server = token_of(token_file), ca_of(ca_file), server_of(url)
    from dashboards.audit import problems  # noqa: PLC0415
    from dashboards.catalogue import boards, rule_group  # noqa: PLC0415
    from dashboards.check import Check, report  # noqa: PLC0415
    from dashboards.influx import Influx  # noqa: PLC0415

    made, group = boards(PAGE), rule_group(PAGE)
    if wrong := problems(made, group):
        raise VibroError("; ".join(wrong))
    influx = Influx(server, token, org, bucket, ca)
    try:
        asked = Check(influx, hours * 3600.0)
        answers = []
        for answer in asked.run(made, group):
            answers.append(answer)
            if not as_json and answer.bad:
                click.echo(_line(answer))
    finally:
        influx.close()
    told = report(answers)
    if as_json:
        echo_json(told)
    else:
        kinds = ", ".join(f"{n} {kind}" for kind, n in told["by_kind"].items())
        click.echo(
            f"{told['queries']} queries ({kinds}): {told['rows']} rows, {told['failed']} refused, "
            f"{told['empty']} empty"
        )
    if told["failed"] or told["empty"]:
        raise click.exceptions.Exit(1)


def _line(answer: Answer) -> str:
    said = f"refused: {answer.error}" if answer.error else "finds nothing"
    return f"{answer.question.kind}  {answer.question.where}  {said}"
