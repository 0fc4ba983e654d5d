"""Can the mail server that the transport names be trusted and used: connection, TLS, certificate."""

from __future__ import annotations

import smtplib
import ssl
from datetime import UTC, datetime
from pathlib import Path

from dateline.doctor.findings import Finding, good, warning, wrong
from newsletter.transport import TransportAddress

_SUBJECT = "Mail server"
_SECONDS = 15.0
_SOON_DAYS = 14


def examine_server(at: TransportAddress, ca_file: Path | None, hello: str, now: datetime) -> Finding:
    """Connects as a sending would, and takes leave without logging in or sending."""
    if at.scheme == "maildir":
        return warning(_SUBJECT, f"messages go into the folder {at.folder}, and to nobody; newsletter.transport names a server")
    if not at.is_smtp:
        return good(_SUBJECT, f"messages go through the API at {at.api_url}; `dateline digest send NAME --test-to` tries it")
    try:
        context = ssl.create_default_context()
        if ca_file:
            context.load_verify_locations(ca_file)
        with _connected(at, context, hello) as server:
            return _seen(at, server, now)
    except ssl.SSLCertVerificationError as error:
        return wrong(_SUBJECT, f"{at}: its certificate does not hold ({error.verify_message}); nothing will be sent")
    except ssl.SSLError as error:
        return wrong(_SUBJECT, f"{at}: TLS fails ({error.reason or error}); nothing will be sent")
    except smtplib.SMTPNotSupportedError:
        return wrong(_SUBJECT, f"{at}: the server does not offer STARTTLS; nothing will be sent")
    except (smtplib.SMTPException, OSError) as error:
        return wrong(_SUBJECT, f"{at}: cannot be reached ({' '.join(str(error).split()) or type(error).__name__})")


def _connected(at: TransportAddress, context: ssl.SSLContext, hello: str) -> smtplib.SMTP:
    if at.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(at.host, at.port, hello, timeout=_SECONDS, context=context)
    else:
        server = smtplib.SMTP(at.host, at.port, hello, timeout=_SECONDS)
    try:
        server.ehlo_or_helo_if_needed()
        if at.scheme == "smtp+starttls":
            server.starttls(context=context)
            server.ehlo_or_helo_if_needed()
    except BaseException:
        server.close()
        raise
    return server


def _seen(at: TransportAddress, server: smtplib.SMTP, now: datetime) -> Finding:
    offers = ", ".join(name.upper() for name in ("pipelining", "smtputf8", "auth") if server.has_extn(name)) or "nothing more"
    socket = server.sock
    if not isinstance(socket, ssl.SSLSocket):
        if at.host in ("localhost", "::1") or at.host.startswith("127."):
            return good(_SUBJECT, f"{at} answers, on this machine and so without TLS; it offers {offers}")
        better = "use smtp+starttls://" if server.has_extn("starttls") else "and the server offers no STARTTLS"
        return warning(_SUBJECT, f"{at}: messages cross the network in clear; {better}")
    until = (socket.getpeercert() or {}).get("notAfter")
    if not isinstance(until, str):
        return wrong(_SUBJECT, f"{at}: the server showed no certificate")
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC)
    days = (ends - now).days
    said = f"{at}: {socket.version()}, a certificate that holds until {ends:%Y-%m-%d}; it offers {offers}"
    return warning(_SUBJECT, f"{said}. That is in {days} days: renew it") if days < _SOON_DAYS else good(_SUBJECT, said)
