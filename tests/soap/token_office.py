"""The office, with a trusted token service, and a system that two municipalities have agreements with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from joserfc.jwk import ECKey

from api import make_app
from api.tokens import TokenDesk, TokenSettings, issuer_of
from api.tokens.audiences import audiences_of
from control import ServiceTerms
from tests.api.house import AALBORG, ODENSE, Client, House, serving
from tests.soap.saml import ISSUER, TokenService, exchange

SYSTEM, OTHER = "tokened", "soapy"
MOST_USES = 3
_Fact = TypeVar("_Fact")


@dataclass(frozen=True, slots=True)
class TokenOffice:
    """key   that access tokens are signed with"""

    house: House
    client: Client
    other: Client
    service: TokenService
    key: ECKey

    @property
    def holder(self) -> bytes:
        return self.pem(SYSTEM)

    def pem(self, system: str) -> bytes:
        return (self.house.root / f"{system}.pem").read_bytes()

    def saml(self, **changed: Any) -> str:
        return self.service.token(self.holder, **changed)

    def access(self, **changed: Any) -> str:
        reply = exchange(self.client, self.saml(**changed))
        assert reply.status == 200, reply.body
        return str(reply.json["access_token"])

    def last(self, kind: type[_Fact]) -> _Fact:
        found = self.house.facts[-1]
        assert isinstance(found, kind)
        return found


@contextmanager
def open_tokens(house: House) -> Iterator[TokenOffice]:
    house.add_system(SYSTEM)
    services = {"municipalities": ServiceTerms(), "demo-service": ServiceTerms()}
    house.agree("token-aalborg", SYSTEM, AALBORG, services)
    house.agree("token-odense", SYSTEM, ODENSE, services)
    house.settle()
    service, key = TokenService(), ECKey.generate_key("P-256")
    desk = TokenDesk(
        {ISSUER: issuer_of(ISSUER, [service.pem])}, key, audiences_of(house.registers),
        TokenSettings(exchanges=MOST_USES),
    )  # fmt: skip
    with serving(house, make_app(replace(house.doors(), tokens=desk))) as (_, port):
        client, other = Client(house, port, SYSTEM), Client(house, port, OTHER)
        yield TokenOffice(house, client, other, service, key)
        client.close()
        other.close()
