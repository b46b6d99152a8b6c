"""Where the control database is: a file of the instance, or a PostgreSQL server that several machines share."""

from typing import Annotated, Final

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from runtime.instance import Instance

KEPT_IN: Final = "control.password"
"""The file below `secrets/` that holds the password, and nothing else."""
_CONNECT_S: Final = "10"


def _address(text: str) -> str:
    """Raises ValueError, in words that repeat nothing: there may be a password in it."""
    if not text:
        return text
    # Here and not above: every command reads the settings, and few open a database.
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("not an address such as postgresql://knudepunkt@db.example.dk/knudepunkt") from None
    if url.drivername != "postgresql":
        raise ValueError("not an address that begins with postgresql://; leave it out for a file of the instance")
    if url.password is not None or "password" in url.query:
        raise ValueError(f"a password does not belong here; write it to secrets/{KEPT_IN}")
    return text


@dataclass(frozen=True, slots=True, kw_only=True, config={"extra": "forbid"})
class ControlSettings:
    """url   postgresql://user@host/database, the password in secrets/control.password; empty: a file of the instance"""

    url: Annotated[str, AfterValidator(_address)] = ""


def control_url(instance: Instance, settings: ControlSettings) -> str:
    """For whoever opens or migrates the database. It may hold the password: nothing may print it."""
    if not settings.url:
        return instance.control_url
    from sqlalchemy import make_url

    url = make_url(settings.url).set(drivername="postgresql+psycopg")
    secret = instance.secrets / KEPT_IN
    if secret.exists():
        url = url.set(password=secret.read_text(encoding="utf-8").strip())
    # A server that is not there must not hold a process up for as long as the network's own patience lasts.
    url = url.update_query_dict({"connect_timeout": str(url.query.get("connect_timeout", _CONNECT_S))})
    return url.render_as_string(hide_password=False)
