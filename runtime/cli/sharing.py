"""`knudepunkt sharing`: the open bulk face for analysts' tools (Delta Sharing)."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, console, print_json, print_table

app = typer.Typer(help="Delta Sharing: tokens with which analysts' tools read extracts.", no_args_is_help=True)


@app.command()
def profile(
    agreement: Annotated[str, typer.Option(help="Id of the agreement that carries it.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File that the profile is written to; it is a secret.")],
    url: Annotated[str, typer.Option(help="Where the API answers, for instance https://hub.example:8443.")],
    days: Annotated[int, typer.Option(min=1, max=365, help="How long the token is good.")] = 90,
    instance: InstanceOption = DEFAULT_INSTANCE,
) -> None:
    """Make a profile: a file that a Delta Sharing client opens. The token in it is kept here as a hash only.

    It needs `[sharing] enabled = true`.

    Example: `knudepunkt sharing profile --agreement 0190b0f4-... --url https://hub.example:8443 --out analyst.share`
    """
    import json
    from datetime import timedelta

    from control import Sharing
    from kernel import AgreementId
    from runtime.environment import settings_of
    from runtime.files import write_whole
    from runtime.instance import Instance
    from runtime.migrated import open_control

    if not url.startswith("https://"):
        raise typer.BadParameter("a token is sent over https only", param_hint="--url")
    found = Instance.find(instance)
    settings = settings_of(found)
    with open_control(found, settings) as control:
        made, text = Sharing(control).make(AgreementId(agreement), timedelta(days=days))
    body = {
        "shareCredentialsVersion": 1,
        "endpoint": f"{url.rstrip('/')}/sharing",
        "bearerToken": text,
        "expirationTime": made.expires.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }
    write_whole(out, (json.dumps(body, indent=2) + "\n").encode())
    console().print(f"{out}: token {made.id}, good until {made.expires:%Y-%m-%d}. Revoke it with `sharing revoke`.")
    if not settings.sharing.enabled:
        console(stderr=True).print("The API does not answer it yet: set `enabled = true` under [sharing].")


@app.command("list")
def list_(instance: InstanceOption = DEFAULT_INSTANCE, as_json: JsonOption = False) -> None:
    """Which tokens there are: agreement, when they end, whether they were revoked. Never the tokens themselves.

    Example: `knudepunkt sharing list`
    """
    from control import Sharing
    from runtime.environment import settings_of
    from runtime.instance import Instance
    from runtime.migrated import open_control

    found = Instance.find(instance)
    with open_control(found, settings_of(found)) as control:
        tokens = Sharing(control).tokens()
    if as_json:
        print_json([
            {
                "id": each.id, "agreement": each.agreement, "system": each.system, "made": each.made.isoformat(),
                "expires": each.expires.isoformat(), "revoked": each.revoked.isoformat() if each.revoked else None,
            }
            for each in tokens
        ])  # fmt: skip
        return
    rows = [
        (each.id, each.agreement, f"{each.expires:%Y-%m-%d}", f"{each.revoked:%Y-%m-%d}" if each.revoked else "")
        for each in tokens
    ]
    print_table("sharing tokens", ("id", "agreement", "until", "revoked"), rows)


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(help="Id of the token, as `knudepunkt sharing list` shows it.")],
    instance: InstanceOption = DEFAULT_INSTANCE,
) -> None:
    """Revoke a token: it opens nothing from now on, and the addresses that it was given are over too.

    Example: `knudepunkt sharing revoke 0190b0f4-...`
    """
    from control import Sharing
    from runtime.environment import settings_of
    from runtime.instance import Instance
    from runtime.migrated import open_control

    found = Instance.find(instance)
    with open_control(found, settings_of(found)) as control:
        Sharing(control).revoke(token)
    console().print(f"{token} opens nothing any more.")
