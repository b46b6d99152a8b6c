"""What an operator may set about e-mail."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """Section `[mail]` of the settings.

    host         the mail server that takes notices; empty: notices stay in the inbox
    port         587 for submission, 25 for a relay
    starttls     demand an encrypted connection and a certificate of a known authority; off only for a relay on this
                 machine
    authority    PEM file of the authority of the server's certificate; empty: those that the system knows
    user         to sign in with; the password lies in `secrets/smtp.password`; empty: no sign-in
    sender       the address that mails come from
    every_s      how often notices are looked for, seconds
    timeout_s    how long the server may take for one answer, seconds
    """

    host: str = ""
    port: int = 587
    starttls: bool = True
    authority: str = ""
    user: str = ""
    sender: str = ""
    every_s: float = 30.0
    timeout_s: float = 20.0

    def __post_init__(self) -> None:
        if self.host and "@" not in self.sender:
            raise ValueError("sender must be an address when host is set")
        if not 0 < self.port < 65_536:
            raise ValueError("port must be 1 to 65535")
        if self.every_s <= 0 or self.timeout_s <= 0:
            raise ValueError("every_s and timeout_s must be above 0")
