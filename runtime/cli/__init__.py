"""The command line: `knudepunkt VERB`. One verb per file; each parses, builds, calls and prints.

Verbs import what they need when they run, so that `knudepunkt --help` answers at once.
"""

import sys

import typer

from kernel import PlatformError
from kernel.unwanted import leave_out
from runtime.cli import (
    agreement,
    api,
    audit,
    bench,
    catalogue,
    cert,
    circle,
    contract,
    copy,
    delegation,
    delivery,
    demo,
    document,
    down,
    explain,
    extract,
    init,
    key,
    ledger,
    lookup,
    maintenance,
    metrics,
    notice,
    org,
    processing,
    quarantine,
    rollback,
    sftp,
    sharing,
    source_system,
    sql,
    status,
    subscription,
    sync,
    system,
    testdata,
    up,
    user,
    worker,
)
from runtime.cli.console import FileUnusable, print_error

app = typer.Typer(
    name="knudepunkt",
    help="Knudepunkt: an open service platform for public data.\n\n"
    "Start with `knudepunkt demo`; every verb has examples in its --help.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
)

TRY = "Try it"
RUN = "Run it"
USE = "Use it"
LOOK = "Look into it"
ADMINISTER = "Administer it"

app.command(rich_help_panel=TRY)(demo.demo)
app.command(rich_help_panel=TRY)(testdata.testdata)
app.command("source-system", rich_help_panel=TRY)(source_system.source_system)
app.command(rich_help_panel=RUN)(init.init)
app.command(rich_help_panel=RUN)(up.up)
app.command(rich_help_panel=RUN)(down.down)
app.command(rich_help_panel=RUN)(sync.sync)
app.command(rich_help_panel=RUN)(rollback.rollback)
app.add_typer(maintenance.app, name="maintenance", rich_help_panel=RUN)
app.command(rich_help_panel=RUN)(api.api)
app.command(rich_help_panel=RUN)(sftp.sftp)
app.command(rich_help_panel=RUN)(worker.worker)
app.command(rich_help_panel=USE)(lookup.lookup)
app.command(rich_help_panel=USE)(extract.extract)
app.add_typer(copy.app, name="copy", rich_help_panel=USE)
app.command(rich_help_panel=USE)(sql.sql)
app.command(rich_help_panel=LOOK)(catalogue.catalogue)
app.command(rich_help_panel=LOOK)(status.status)
app.command(rich_help_panel=LOOK)(metrics.metrics)
app.command(rich_help_panel=LOOK)(explain.explain)
app.add_typer(circle.app, name="circle", rich_help_panel=USE)
app.add_typer(subscription.app, name="subscription", rich_help_panel=USE)
app.add_typer(delivery.app, name="delivery", rich_help_panel=USE)
app.add_typer(sharing.app, name="sharing", rich_help_panel=USE)
app.add_typer(quarantine.app, name="quarantine", rich_help_panel=LOOK)
app.add_typer(ledger.app, name="ledger", rich_help_panel=LOOK)
app.add_typer(contract.app, name="contract", rich_help_panel=LOOK)
app.add_typer(bench.app, name="bench", rich_help_panel=LOOK)

for verb, group in (
    ("org", org.app), ("user", user.app), ("system", system.app), ("cert", cert.app), ("key", key.app),
    ("agreement", agreement.app), ("delegation", delegation.app), ("processing", processing.app),
    ("notice", notice.app), ("audit", audit.app),
):  # fmt: skip
    app.add_typer(group, name=verb, rich_help_panel=ADMINISTER)

agreement.app.command("document")(document.document)


def main() -> None:
    """Run the command line; a mistake that the house knows ends in a sentence and exit code 1."""
    leave_out()
    try:
        app()
    except PlatformError as error:
        print_error(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has seen enough.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        # A file or folder that somebody named; whatever else fails is a fault of ours, and shown whole.
        mistake = FileUnusable.of(error)
        if mistake is None:
            raise
        print_error(mistake)
        sys.exit(1)
