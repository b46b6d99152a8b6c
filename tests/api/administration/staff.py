"""People with roles, at the other end of real connections."""

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from control import IssuedCertificate, OrganisationKind, People, Role, User
from tests.api.house import AALBORG, ODENSE, OPERATOR, SUPPLIER, Client, House, Reply, serving

RIVAL = "25313763"
A, U, D, O = Role.ADMINISTRATOR, Role.USER, Role.DATA_CONTROLLER, Role.OPERATOR  # noqa: E741
STAFF: Mapping[str, tuple[str, frozenset[Role]]] = {
    "supplier-administrator": (SUPPLIER, frozenset({A})),
    "supplier-user": (SUPPLIER, frozenset({U})),
    "rival-administrator": (RIVAL, frozenset({A, U})),
    "municipality-administrator": (AALBORG, frozenset({A})),
    "municipality-user": (AALBORG, frozenset({U})),
    "data-controller": (AALBORG, frozenset({D})),
    "other-data-controller": (ODENSE, frozenset({A, U, D})),
    "operator-person": (OPERATOR, frozenset({O})),
}
ADMIN = "/v1/admin"
_FREE = itertools.count(70_000_001)


def a_cvr() -> str:
    """A number that no organisation of these tests has."""
    return str(next(_FREE))


@dataclass(slots=True)
class Office:
    """The house, the people in it, and a connection for each."""

    house: House
    port: int
    users: dict[str, User] = field(default_factory=dict)
    _clients: dict[str | None, Client] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def open(cls, root: Path) -> Iterator["Office"]:
        with ExitStack() as stack:
            house = stack.enter_context(House.open(root))
            _, port = stack.enter_context(serving(house))
            office = cls(house, port)
            house.control.add_organisation(OrganisationKind.SUPPLIER, RIVAL, "Rivalen A/S")
            for name, (cvr, roles) in STAFF.items():
                office.hire(name, cvr, roles)
            yield office
            office.close()

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def organisation(self, cvr: str) -> str:
        found = self.house.control.find_organisation(cvr)
        assert found is not None
        return found.id

    def hire(self, name: str, cvr: str, roles: frozenset[Role]) -> User:
        """A user, with a certificate of that name."""
        people = People(self.house.control)
        user = people.add(self.organisation(cvr), name, f"{name}@example.dk", roles)  # type: ignore[arg-type]
        issued = self.house.authority.issue_employee(cvr, "Prøve", name)
        self.write(name, issued)
        people.bind_certificate(user.id, issued.cert_pem, trust=self.house.tls.trust())
        self.users[name] = user
        return user

    def write(self, name: str, issued: IssuedCertificate) -> None:
        (self.house.root / f"{name}.pem").write_bytes(issued.cert_pem)
        (self.house.root / f"{name}.key").write_bytes(issued.key_pem)

    def asking(self, name: str | None) -> Client:
        """A connection of somebody; None shows no certificate."""
        if name not in self._clients:
            self._clients[name] = Client(self.house, self.port, name)
        return self._clients[name]

    def get(self, who: str | None, path: str) -> Reply:
        return self.asking(who).get(path)

    def post(self, who: str | None, path: str, document: Any = None, **headers: str) -> Reply:
        return self.asking(who).post(path, {} if document is None else document, **headers)

    def patch(self, who: str | None, path: str, document: Any, **headers: str) -> Reply:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        body = json.dumps(document).encode()
        return self.asking(who).call("PATCH", path, body, {"Content-Type": "application/json", **named})

    def system(self, name: str, cvr: str = SUPPLIER) -> str:
        """A system without certificates; made as the house does."""
        owner: Any = self.organisation(cvr)
        return self.house.control.add_system(owner, name, purpose="prøve", contact="drift@example.dk").id


def signing_request(name: str = "whatever the subject says") -> tuple[str, bytes]:
    """PEM of a request, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return request.public_bytes(Encoding.PEM).decode(), private
