"""What the operator sets about the newsletter: ``[newsletter]`` and each ``[[digest]]``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from content.regions import Region, resolve
from content.settings import EmailAddress, Line, Section, ZoneName
from newsletter.transport_address import TransportAddress


def _domain(name: str) -> str:
    # Only who sets a domain waits for what checks it.
    from newsletter.headers import HeaderError, ascii_address

    try:
        return ascii_address(f"postmaster@{name.strip().rstrip('.')}").partition("@")[2]
    except HeaderError:
        raise ValueError(f"{name!r} is not a domain such as 'news.example.org'") from None


Domain = Annotated[str, AfterValidator(_domain)]


def _transport(url: str) -> str:
    TransportAddress.parse(url)
    return url


def _smtp(url: str) -> str:
    if not TransportAddress.parse(url).is_smtp:
        raise ValueError("must be smtp://, smtp+starttls:// or smtps://HOST[:PORT]")
    return url


CONSENT = "I would like to get the newsletter by email. I can leave at any time by the link in each message."
"""What people agree to where the operator says nothing else."""


class ServerSettings(Section):
    """``[[newsletter.server]]``: one of several SMTP servers. What is not set is as in ``[newsletter]``."""

    url: Annotated[str, AfterValidator(_smtp)]
    weight: float = Field(1, gt=0, le=1000)
    connections: int | None = Field(None, ge=1, le=200)
    messages_per_connection: int | None = Field(None, ge=1)
    rate_per_second: float | None = Field(None, ge=0)


class DkimSettings(Section):
    """One of ``newsletter.dkim``: a private key that signs, and the selector under which its public half is published."""

    selector: str = Field(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*$"
    )
    key_file: Path


class NewsletterSettings(Section):
    """``[newsletter]``: who sends, through what, and what happens when something goes wrong."""

    transport: Annotated[str, AfterValidator(_transport)] = "maildir:outbox"
    from_name: Line = ""
    from_email: EmailAddress | None = None
    reply_to: EmailAddress | None = None
    unsubscribe_path: str = "unsubscribe/{token}"
    preferences_path: str = "preferences/{token}"
    unsubscribe_email: EmailAddress | None = None
    join_form: bool = True
    confirm_path: str = "join/confirm/{token}"
    confirm_hours: float = Field(72, gt=0, le=720)
    consent_text: Line = CONSENT
    consent_address: Literal["truncated", "hashed", "none"] = "truncated"
    forget_unconfirmed_days: float = Field(30, ge=1, le=3660)
    joins_per_network: int = Field(20, ge=1)
    joins_per_hour: int = Field(500, ge=1)
    disposable_domains_file: Path | None = None
    bounce_email: EmailAddress | None = None
    postal_address: Line = ""
    templates: str = "templates"
    in_doubt: Literal["resend", "hold", "skip"] = "resend"
    retry_minutes: list[Annotated[float, Field(gt=0, le=10080)]] = Field([5, 15, 60, 240, 720])
    timeout_seconds: float = Field(60, gt=0, le=600)
    connections: int = Field(4, ge=1, le=200)
    messages_per_connection: int = Field(500, ge=1)
    rate_per_second: float = Field(0, ge=0)
    domain_rate_per_second: float = Field(0, ge=0)
    domain_rates: dict[Domain, Annotated[float, Field(ge=0)]] = Field({})
    patience_seconds: float = Field(300, ge=0, le=86400)
    server: list[ServerSettings] = Field([])
    ca_file: Path | None = None
    dkim: list[DkimSettings] = Field([])
    dkim_domain: Domain | None = None

    # Secrets: from the environment, or from files that are named there.
    secret_key: SecretStr | None = None
    secret_key_file: Path | None = None
    old_secret_keys_file: Path | None = None
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_password_file: Path | None = None
    batch_size: int = Field(50, ge=1, le=500)
    message_stream: str = Field("broadcast", pattern=r"^[A-Za-z0-9_-]{1,100}$")
    api_token: SecretStr | None = None
    api_token_file: Path | None = None

    @field_validator("unsubscribe_path", "preferences_path", "confirm_path")
    @classmethod
    def _names_the_token(cls, path: str) -> str:
        before, mark, after = path.partition("{token}")
        plain = before + after
        strange = not plain.isascii() or any(sign in plain for sign in '{} <>"?#%\\') or not plain.isprintable()
        if not mark or strange or not before.strip("/") or ".." in plain or "//" in path or path.startswith("/"):
            raise ValueError("must be an ASCII path below the site that ends in {token}, such as 'unsubscribe/{token}'")
        return path

    @field_validator("bounce_email")
    @classmethod
    def _leaves_room_for_the_token(cls, email: str | None) -> str | None:
        # Only who sets it waits for what it is made with.
        from newsletter.return_path import LONGEST_NAME

        name = (email or "").rpartition("@")[0]
        if len(name) > LONGEST_NAME or "+" in name:
            raise ValueError(f"must have at most {LONGEST_NAME} letters before the @ and no +: bounces+TOKEN@... is made of it")
        return email

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key and len(key.get_secret_value()) < 16:
            raise ValueError("must have at least 16 characters")
        return key

    @model_validator(mode="after")
    def _each_link_has_its_path(self) -> Self:
        if self.unsubscribe_path == self.preferences_path:
            raise ValueError("unsubscribe_path and preferences_path are the same: leaving and choosing need a path each")
        return self

    @model_validator(mode="after")
    def _login_is_whole_and_private(self) -> Self:
        for url in [one.url for one in self.server] or [self.transport]:
            at = TransportAddress.parse(url)
            user = self.smtp_user or at.user
            if (self.smtp_password or self.smtp_password_file) and not user:
                raise ValueError("smtp_password is set but no smtp_user: set both, or neither")
            near = at.host in ("localhost", "::1") or at.host.startswith("127.")
            if user and at.scheme == "smtp" and not near:
                raise ValueError("smtp_user and password would go over the wire in clear: use smtp+starttls:// or smtps://")
        return self

    @property
    def resends(self) -> bool:
        """Whether a message in doubt is sent again, once."""
        return self.in_doubt == "resend"


SECRETS = ("secret_key", "smtp_password", "api_token")
"""Settings of ``[newsletter]`` that config.toml must not hold."""

BOUNCE_SECRETS = ("imap_password",)
"""Settings of ``[bounces]`` that config.toml must not hold."""


class BounceSettings(Section):
    """``[bounces]``: where bounces arrive, and how many soft ones are too many."""

    source: str = ""
    set_aside: str = "set-aside"
    half_life_days: float = Field(14, gt=0, le=366)
    threshold: float = Field(3, gt=0, le=100)
    pause_days: float = Field(28, gt=0, le=366)
    imap_password: SecretStr | None = None


class DigestSettings(Section):
    """``[[digest]]``: a named newsletter, when it is due, and what it carries."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    title: Line
    cron: str = "0 7 * * *"
    timezone: ZoneName | None = None
    sections: list[Line] = Field([])
    regions: list[Line] = Field([])
    limit: int = Field(12, ge=1, le=100)
    order: Literal["weight", "newest"] = "weight"
    freshness_days: float = Field(7, gt=0, le=366)
    late_hours: float = Field(12, ge=0, le=168)
    late: Literal["send", "skip", "ask"] = "skip"
    subject: str = "{{ digest.title }}: {{ articles[0].title }}"

    @field_validator("cron")
    @classmethod
    def _a_cron_line(cls, cron: str) -> str:
        from newsletter.cron import parse_cron

        parse_cron(cron)
        return cron

    @field_validator("regions")
    @classmethod
    def _known_regions(cls, regions: list[str]) -> list[str]:
        if unknown := resolve(regions)[1]:
            names = ", ".join(repr(one.name) for one in unknown)
            raise ValueError(f"{names} is no country or subdivision: use codes such as CN or CN-GD")
        return regions

    @property
    def places(self) -> list[Region]:
        """The regions that the digest is limited to; none means all."""
        return resolve(self.regions)[0]
