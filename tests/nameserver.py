"""A name server on loopback that says what a test wants it to."""

from __future__ import annotations

import socketserver

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class Zone(socketserver.BaseRequestHandler):
    """A name server's answers, one question a datagram."""

    def handle(self) -> None:
        data, back = self.request
        asked = dns.message.from_wire(data)
        answer = dns.message.make_response(asked)
        answer.flags |= dns.flags.RA
        name, kind = asked.question[0].name.to_text().rstrip("."), dns.rdatatype.to_text(asked.question[0].rdtype)
        records = self.server.records  # type: ignore[attr-defined]
        if name in self.server.broken:  # type: ignore[attr-defined]
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif found := records.get((name, kind)):
            answer.answer.append(dns.rrset.from_text(asked.question[0].name, 60, "IN", kind, *found))
        elif not any(known == name for known, _ in records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        back.sendto(answer.to_wire(), self.client_address)


class NameServer(socketserver.ThreadingUDPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Zone)
        self.broken: set[str] = set()
        self.records: dict[tuple[str, str], list[str]] = {
            ("news.example", "TXT"): ['"some-site-verification=1"', '"v=spf1 include:_spf.mail.test mx " "-all"'],
            ("_spf.mail.test", "TXT"): ['"v=spf1 ip4:192.0.2.0/24 ~all"'],
            ("news.example", "MX"): ["10 mx.news.example."],
            ("mx.news.example", "A"): ["192.0.2.1"],
            ("_dmarc.news.example", "TXT"): ['"v=DMARC1; p=quarantine; rua=mailto:d@news.example"'],
        }

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"
