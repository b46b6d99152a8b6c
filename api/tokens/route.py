"""POST /service/AccessTokenService_1/token: a SAML token in the field `saml-token`, an access token back."""

from functools import partial
from urllib.parse import parse_qsl

import orjson
import structlog

from api.answer import Answer
from api.doors import Doors
from api.errors import CertificateMissing, MediaTypeUnsupported
from api.identity import identify
from api.problem import problem
from api.request import ClientGone, Request
from api.threads import in_thread
from api.tokens.assertion import MOST_BYTES
from api.tokens.desk import TokenDesk
from api.tokens.errors import SamlTokenInvalid
from api.unexpected import unexpected
from api.visit import refusal_on_record
from kernel import Caller, PlatformError

_log = structlog.get_logger(__name__)
_FORM = b"application/x-www-form-urlencoded"


class TokenRoute:
    def __init__(self, doors: Doors, desk: TokenDesk) -> None:
        self._doors, self._desk = doors, desk

    async def exchange(self, request: Request) -> Answer:
        """Who calls comes first; what is refused is on record."""
        caller: Caller | None = None
        try:
            caller = identify(request.peer, self._doors.policy(), self._doors.trust(), request.received)
            return await self._exchanged(request, caller)
        except ClientGone:
            raise
        except PlatformError as error:
            refusal = error
        except Exception as error:
            refusal = unexpected(error, request)
        return problem(refusal_on_record(self._doors, request, refusal, caller=caller), request.trace)

    async def _exchanged(self, request: Request, caller: Caller) -> Answer:
        request.parameters()
        if request.peer is None:
            raise CertificateMissing("the connection shows no client certificate")
        sent = await _sent(request)
        issued = await in_thread(
            partial(self._desk.exchange, sent, caller, request.peer.fingerprint, request.received)
        )  # fmt: skip
        _log.info(
            "token_issued", trace=request.trace, system=caller.system, service=issued.service,
            municipality=issued.municipality_cvr, life_s=issued.life_s,
        )  # fmt: skip
        body = {"access_token": issued.token, "token_type": "Holder-of-key", "expires_in": issued.life_s}
        headers = [
            (b"content-type", b"application/json"),
            (b"cache-control", b"no-store"),
            (b"knudepunkt-trace", request.trace.encode()),
        ]
        return Answer(200, headers, orjson.dumps(body))


async def _sent(request: Request) -> str:
    """The field saml-token. Raises MediaTypeUnsupported, SamlTokenInvalid, BodyTooLarge."""
    if request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != _FORM:
        raise MediaTypeUnsupported(
            "the body is no form", remedy="send the field saml-token as application/x-www-form-urlencoded"
        )
    body = await request.body(2 * MOST_BYTES)
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError:
        fields = []
    found = [value for name, value in fields if name == "saml-token"]
    if len(found) != 1 or not found[0].strip():
        raise SamlTokenInvalid(
            "the form does not have the field saml-token once", remedy="send one SAML token in it", rule="token.saml"
        )
    return found[0]
