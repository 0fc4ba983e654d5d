"""Does the domain answer for our mail: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489), and where failures come back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from dateline.doctor.findings import Finding, Record, good, unknown, warning, wrong
from dateline.doctor.names import Names, NoAnswerError

if TYPE_CHECKING:
    from newsletter.dkim import SigningKey

_MOST_LOOKUPS = 10
_LOOKUPS = frozenset(("include", "a", "mx", "ptr", "exists", "redirect"))
_SECOND_LEVELS = frozenset(("ac", "co", "com", "edu", "go", "gob", "gov", "ltd", "me", "ne", "net", "nom", "or", "org", "sch"))


# What providers of mail ask their customers to publish.
_INCLUDES = {
    "amazonaws.com": "amazonses.com", "gmail.com": "_spf.google.com", "office365.com": "spf.protection.outlook.com",
    "sendgrid.net": "sendgrid.net", "mailgun.org": "mailgun.org", "postmarkapp.com": "spf.mtasv.net",
    "mailjet.com": "spf.mailjet.com", "fastmail.com": "spf.messagingengine.com",
}  # fmt: skip


def examine_domain(names: Names, sender: str, return_domain: str, keys: Sequence[SigningKey], server: str) -> Iterator[Finding]:
    """Looks at what is published for mail from the domain ``sender``.

    ``return_domain`` is that of the envelope, ``server`` the host that sends (empty: not known).
    """
    include = _INCLUDES.get(organisation(server), "")
    allowed = f"include:{include} " if include else f"a:{server} mx " if server else "mx "
    spf = Record(return_domain, f"v=spf1 {allowed}~all")
    yield _guarded("SPF", lambda: _spf(names, return_domain, include, spf), spf)
    if not keys:
        yield warning("DKIM", "newsletter.dkim is empty: messages are signed only if your mail server does it")
    for key in keys:
        record = Record(key.name, key.record)
        yield _guarded(f"DKIM {key.selector}", lambda key=key, record=record: _dkim(names, key, record), record)  # type: ignore[misc]
    dmarc = Record(f"_dmarc.{organisation(sender)}", f"v=DMARC1; p=none; rua=mailto:postmaster@{sender}")
    signers = [key.domain for key in keys]
    yield _guarded("DMARC", lambda: _dmarc(names, sender, return_domain, signers, dmarc), dmarc)
    for domain in dict.fromkeys((sender, return_domain)):
        yield _guarded(f"MX {domain}", lambda domain=domain: _mx(names, domain))  # type: ignore[misc]


def organisation(domain: str) -> str:
    """The part of a domain that one has registered.

    The list of public suffixes would know for sure; the usual second levels of countries do for what is said here.
    """
    labels = domain.lower().split(".")
    size = 3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVELS else 2
    return ".".join(labels[-size:])


def _guarded(subject: str, look: Callable[[], Finding], *publish: Record) -> Finding:
    try:
        return look()
    except NoAnswerError as error:
        more = "; if it is not there yet, publish" if publish else ""
        return unknown(subject, f"{error}{more}", *publish)


def _spf(names: Names, domain: str, include: str, missing: Record) -> Finding:
    found = _policies(names, domain)
    if not found:
        said = f"{domain} does not say who may send its mail (no v=spf1 record); publish, or with the include: of your provider"
        return wrong("SPF", said, missing)
    if len(found) > 1:
        return wrong("SPF", f"{domain} has {len(found)} v=spf1 records, and receivers then take none; make one of them")
    policy = found[0]
    terms = policy.lower().split()
    if "all" in terms or "+all" in terms:
        return wrong("SPF", f"{domain}: {policy!r} allows everybody to send in its name; end it with ~all or -all")
    if (number := _count_lookups(names, policy, set())) > _MOST_LOOKUPS:
        return wrong("SPF", f"{domain}: {policy!r} costs {number} look-ups, and receivers stop at {_MOST_LOOKUPS}; shorten it")
    if not any(term in ("~all", "-all", "?all") or term.startswith("redirect=") for term in terms):
        return warning("SPF", f"{domain}: {policy!r} does not say what holds for other servers; end it with ~all or -all")
    if include and f"include:{include}" not in terms:
        return warning("SPF", f"{domain}: {policy!r} does not allow your mail provider; put include:{include} into it")
    return good("SPF", f"{domain}: {policy} (that it names the server that sends is yours to see)")


def _policies(names: Names, domain: str) -> list[str]:
    return [text for text in names.texts(domain) if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]


def _count_lookups(names: Names, policy: str, seen: set[str]) -> int:
    """What RFC 7208 4.6.4 counts, in this policy and in those that it includes."""
    number = 0
    for term in policy.lower().split()[1:]:
        name, _, target = re.sub(r"^[-+~?]", "", term).replace("=", ":", 1).partition(":")
        if name.partition("/")[0] not in _LOOKUPS:
            continue
        number += 1
        # What names another policy is followed, once; a macro (%) is not known before there is a message.
        if name in ("include", "redirect") and target not in seen and "%" not in target and number <= _MOST_LOOKUPS:
            seen.add(target)
            number += sum(_count_lookups(names, one, seen) for one in _policies(names, target)[:1])
    return number


def _dkim(names: Names, key: SigningKey, record: Record) -> Finding:
    subject = f"DKIM {key.selector}"
    found = [tags for text in names.texts(key.name) if "p" in (tags := _tags(text))]
    if not found:
        return wrong(subject, f"{key.name} publishes no key, so our signatures count for nothing; publish", record)
    if len(found) > 1:
        return wrong(subject, f"{key.name} has {len(found)} keys, and receivers may take any of them; leave this one", record)
    published = found[0]
    if not published["p"]:
        return wrong(subject, f"{key.name} says that the key is revoked; publish", record)
    if published["p"] != key.public or published.get("k", "rsa") != key.kind:
        return wrong(subject, f"{key.name} publishes another key than the one that signs; publish", record)
    if "y" in published.get("t", "").split(":"):
        return warning(subject, f"{key.name} publishes our key, but for testing only (t=y); publish", record)
    return good(subject, f"{key.name} publishes our {key.kind} key")


def _dmarc(names: Names, sender: str, return_domain: str, signers: Sequence[str], missing: Record) -> Finding:
    domain, found = _dmarc_policies(names, sender)
    if not found:
        said = f"there is no DMARC policy for {sender}; Gmail, Yahoo and Outlook want one from who mails many; publish"
        return wrong("DMARC", said, missing)
    if len(found) > 1:
        return wrong("DMARC", f"_dmarc.{domain} has {len(found)} policies, and receivers then take none; leave one of them")
    tags = _tags(found[0])
    policy = tags.get("p", "")
    if policy not in ("none", "quarantine", "reject"):
        return wrong("DMARC", f"_dmarc.{domain}: {found[0]!r} has no p=none, p=quarantine or p=reject", missing)
    by_spf = _is_aligned(sender, return_domain, strict=tags.get("aspf") == "s")
    by_dkim = any(_is_aligned(sender, signer, strict=tags.get("adkim") == "s") for signer in signers)
    if not by_dkim and signers:
        said = f"{sender} is not aligned with the domain that signs ({', '.join(signers)}); set newsletter.dkim_domain to it"
        return wrong("DMARC", said)
    if not by_dkim and not by_spf:
        return wrong("DMARC", f"neither a signature nor the return path ({return_domain}) is aligned with {sender}")
    how = " and ".join(name for name, is_so in (("DKIM", by_dkim), ("SPF", by_spf)) if is_so)
    return good("DMARC", f"_dmarc.{domain}: {found[0]} (aligned by {how})")


def _dmarc_policies(names: Names, sender: str) -> tuple[str, list[str]]:
    """The policies for a domain: its own, or those of the next above it that has any."""
    labels = sender.split(".")
    for start in range(max(1, len(labels) - 1)):
        domain = ".".join(labels[start:])
        texts = names.texts(f"_dmarc.{domain}")
        if found := [text for text in texts if text.replace(" ", "").lower().startswith("v=dmarc1")]:
            return domain, found
    return sender, []


def _is_aligned(one: str, other: str, *, strict: bool) -> bool:
    """RFC 7489 3.1."""
    return one.lower() == other.lower() if strict else organisation(one) == organisation(other)


def _mx(names: Names, domain: str) -> Finding:
    subject = f"MX {domain}"
    servers = names.mail_servers(domain)
    if "" in servers:
        return wrong(subject, f"{domain} says that it takes no mail (null MX), so failures and answers are lost")
    if servers:
        missing = [server for server in servers if not names.has_address(server)]
        if len(missing) == len(servers):
            return wrong(subject, f"{domain}: no mail server has an address ({', '.join(missing)})")
        return good(subject, f"{domain}: failures and answers go to {', '.join(servers)}")
    if names.has_address(domain):
        return warning(subject, f"{domain} has no MX record; mail goes to the host of that name, which may not expect it")
    return wrong(subject, f"{domain} has no mail server (no MX record): answers are lost, and many refuse its mail")


def _tags(text: str) -> dict[str, str]:
    """A record of the form ``a=b; c=d``, without the blanks that it may hold (RFC 6376 3.2)."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): "".join(value.split()) for name, sign, value in pairs if sign}
