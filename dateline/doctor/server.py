"""Can the mail server that the transport names be trusted and used: connection, TLS, certificate."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from dateline.doctor.findings import Finding, Verdict, good, warning, wrong
from newsletter.smtp_opening import SmtpServer, said, why_untrusted, words_of
from newsletter.transport_address import TransportAddress

_SUBJECT = "Mail server"
_SECONDS = 15.0
_SOON_DAYS = 14


def examine_server(
    at: TransportAddress, ca_file: Path | None, hello: str, now: datetime, login: SmtpServer | None = None
) -> Finding:
    """Connects as a sending would, logs in where ``login`` names a user, and takes leave without sending."""
    if at.scheme == "maildir":
        return warning(_SUBJECT, f"messages go into the folder {at.folder}, and to nobody; newsletter.transport names a server")
    if not at.is_smtp:
        return good(_SUBJECT, f"messages go through the API at {at.api_url}; `dateline digest send NAME --test-to` tries it")
    try:
        context = ssl.create_default_context()
        if ca_file:
            context.load_verify_locations(ca_file)
    except ssl.SSLError as error:
        return wrong(_SUBJECT, f"{at}: {why_untrusted(error, at)}; nothing will be sent")
    except OSError as error:
        return wrong(_SUBJECT, f"newsletter.ca_file: {ca_file} cannot be read ({error.strerror}); nothing will be sent")
    try:
        with _connected(at, context, hello) as server:
            found = _seen(at, server, now)
            return _logged_in(at, server, login, found) if login and login.user else found
    except ssl.SSLError as error:
        return wrong(_SUBJECT, f"{at}: {why_untrusted(error, at)}; nothing will be sent")
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


def _logged_in(at: TransportAddress, server: smtplib.SMTP, login: SmtpServer, found: Finding) -> Finding:
    if found.verdict is Verdict.WRONG:
        return found
    try:
        server.login(login.user, login.password)
    except smtplib.SMTPAuthenticationError as error:
        told = said(error.smtp_code, error.smtp_error)
        if error.smtp_code < 500:
            return warning(_SUBJECT, f"{at}: the server cannot log us in just now ({told})")
        return wrong(_SUBJECT, f"{at}: the server refuses user and password ({told}); nothing will be sent")
    except smtplib.SMTPException as error:
        return wrong(_SUBJECT, f"{at}: a user is set, and logging in fails ({words_of(error)}); nothing will be sent")
    return replace(found, said=f"{found.said}; it takes user and password")


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
    seen = f"{at}: {socket.version()}, a certificate that holds until {ends:%Y-%m-%d}; it offers {offers}"
    return warning(_SUBJECT, f"{seen}. That is in {days} days: renew it") if days < _SOON_DAYS else good(_SUBJECT, seen)
