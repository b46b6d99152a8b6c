"""Settings: one TOML file, a section per room, each value open to an override from the environment.

`[api] port = 8443` in knudepunkt.toml is overridden by KNUDEPUNKT_API__PORT=9443. The environment is read once,
here; rooms get their own section as a value. An unknown section or key is an error that names it.
"""

import tomllib
from dataclasses import field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from api import ProxySettings
from api.tokens import TokenSettings
from control.mail import MailSettings
from extract import DeliverySettings, ExchangeSettings, ExtractSettings, SftpSettings
from integrations import LiveSettings
from kernel import OperatorMistake
from replica import ReplicaSettings
from runtime.control_address import ControlSettings
from usage import UsageSettings

Port = Annotated[int, Field(ge=0, le=65535)]


class SettingsInvalid(OperatorMistake):
    code = "settings_invalid"
    title = "The settings cannot be used"


@dataclass(frozen=True, slots=True, kw_only=True, config={"extra": "forbid"})
class ApiSettings:
    """workers   processes that share the port; one per core that is free for answering
    drain_s   how long a stopping worker may take to finish running answers and streams, seconds
    names     host names and addresses in the server certificate that `init` makes
    """

    host: str = "127.0.0.1"
    port: Port = 8443
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    drain_s: Annotated[float, Field(gt=0)] = 30.0
    names: tuple[str, ...] = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True, kw_only=True, config={"extra": "forbid"})
class WorkerSettings:
    """fold_every_s     how often deltas of segments are folded into their base, seconds
    intake_every_s   how often sealed ledger files enter the usage lake, seconds
    look_every_s     how often schedules are compared with the clock, seconds
    maintain_every_s   how often the mirror is maintained, seconds
    idle_time        syncs and maintenance run in the processors' idle time alone, so that lookups do not feel them;
                     on a machine that is never idle say false, or the mirror grows old
    """

    fold_every_s: Annotated[float, Field(gt=0)] = 300.0
    intake_every_s: Annotated[float, Field(gt=0)] = 60.0
    look_every_s: Annotated[float, Field(gt=0)] = 10.0
    maintain_every_s: Annotated[float, Field(gt=0)] = 86_400.0
    idle_time: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, config={"extra": "forbid"})
class LimitSettings:
    """nodes   machines that answer for the same agreements; each counts calls for itself and lets its part through"""

    nodes: Annotated[int, Field(ge=1, le=64)] = 1


@dataclass(frozen=True, slots=True, kw_only=True, config={"extra": "forbid"})
class SharingSettings:
    """enabled   whether analysts' tools may read extracts under /sharing with a token, without a client certificate
    file_s    how long the address of a file is good, seconds
    """

    enabled: bool = False
    file_s: Annotated[float, Field(gt=0, le=86_400)] = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True, config={"extra": "forbid"})
class LogSettings:
    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(BaseSettings):
    """All settings of one instance."""

    model_config = SettingsConfigDict(env_prefix="KNUDEPUNKT_", env_nested_delimiter="__", extra="forbid", frozen=True)

    environment: Literal["test", "production"] = "test"
    control: ControlSettings = field(default_factory=ControlSettings)
    api: ApiSettings = field(default_factory=ApiSettings)
    proxy: ProxySettings = field(default_factory=ProxySettings)
    extracts: ExtractSettings = field(default_factory=ExtractSettings)
    sftp: SftpSettings = field(default_factory=SftpSettings)
    exchange: ExchangeSettings = field(default_factory=ExchangeSettings)
    delivery: DeliverySettings = field(default_factory=DeliverySettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    replica: ReplicaSettings = field(default_factory=ReplicaSettings)
    usage: UsageSettings = field(default_factory=UsageSettings)
    mail: MailSettings = field(default_factory=MailSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    live: LiveSettings = field(default_factory=LiveSettings)
    sharing: SharingSettings = field(default_factory=SharingSettings)
    tokens: TokenSettings = field(default_factory=TokenSettings)
    logs: LogSettings = field(default_factory=LogSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(file: Path) -> Settings:
    """Read `file` and the environment. Raises SettingsInvalid, naming each value that cannot be used."""

    class FromFile(Settings):
        model_config = SettingsConfigDict(**{**Settings.model_config, "toml_file": file})

    try:
        return FromFile()
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(f"{file.name} is not TOML: {error}", remedy="mend the line it names") from None
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'settings'}: {fault['msg']}" for fault in error.errors()
        )
        raise SettingsInvalid(
            f"{file.name} (or a KNUDEPUNKT_ variable) cannot be used: {faults}",
            remedy="mend or remove what it names; docs/reference/settings.md lists every setting",
        ) from None
