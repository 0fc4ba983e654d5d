"""Sending through Postmark's batch API, against a server on loopback that speaks it and misbehaves on request."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from mailroom import Desk, Server
from provider import (
    Answer,
    Handler,
    Provider,
    ProviderServer,
    answering,
    certificate,
    drops,
    goes_on_and_on,
    hangs,
    is_cut_off,
    letters,
    ok,
    outcomes,
    trickles,
)
from pydantic import SecretStr

from newsletter.ledger import DeliveryState
from newsletter.providers.postmark import TOGETHER, BatchInDoubtError, PostmarkApi
from newsletter.transport import LostReplyError, Message, TransportError

TOKEN = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    with ProviderServer(("127.0.0.1", 0), type("Bound", (Handler,), {"provider": made})) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        made.url = f"http://127.0.0.1:{server.server_port}"
        yield made
        server.shutdown()


@pytest.fixture
def desk(provider: Provider, tmp_path: Path) -> Callable[..., Desk]:
    """Makes a site that sends through the provider."""

    def make(**settings: object) -> Desk:
        transport = f"postmark+{provider.url}"
        made = Desk(tmp_path, Server(), transport=transport, api_token=SecretStr(TOKEN), **settings)
        made.report("first")
        return made

    return make


@pytest.fixture
def api(provider: Provider) -> Iterator[PostmarkApi]:
    made = PostmarkApi(TOKEN, base_url=provider.url, timeout=5)
    yield made
    made.close()


# All is well


def test_a_batch_goes_in_one_request_with_all_that_postmark_asks_for(provider: Provider, api: PostmarkApi) -> None:
    sent = letters(3)
    replies = api.send(sent)
    assert outcomes(replies) == ["accepted"] * 3
    assert "id-m1@example.com" in replies[1].text
    (request,) = provider.requests
    assert (request["path"], request["X-Postmark-Server-Token"]) == ("/email/batch", TOKEN)
    assert request["Content-Type"] == request["Accept"] == "application/json"
    one = provider.taken[1]
    headers = {header["Name"]: header["Value"] for header in one["Headers"]}
    assert headers["Message-ID"] == sent[1].message_id
    assert headers["X-PM-KeepID"] == "true"
    assert headers["List-Unsubscribe"] == "<https://news.test/u/1>, <mailto:leave@news.test?subject=id1>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["List-Id"] == "Daily <daily.news.test>"
    assert not {name.lower() for name in headers} & {"to", "from", "subject", "date", "content-type", "mime-version", "bcc"}
    assert one["From"] == '"Ünï, Ltd" <news@news.test>'
    assert (one["To"], one["ReplyTo"], one["Subject"]) == ("m1@example.com", "desk@news.test", "Señal: 5G — “now”")
    assert one["HtmlBody"].strip() == "<p>News — “today”</p><a href='https://news.test/u/1'>x</a>"
    assert one["TextBody"].strip() == "News — today https://news.test/u/1"
    assert (one["MessageStream"], one["TrackOpens"], one["TrackLinks"]) == ("broadcast", False, "None")


def test_more_than_a_request_holds_goes_in_several_over_one_connection(provider: Provider, api: PostmarkApi) -> None:
    told: list[int] = []
    replies = api.send(letters(TOGETHER + 3), lambda messages: told.append(len(messages)))
    assert outcomes(replies) == ["accepted"] * (TOGETHER + 3)
    assert provider.recipients == [f"m{count}@example.com" for count in range(TOGETHER + 3)]
    assert told == [TOGETHER, 3]
    assert len(provider.requests) == 2 and len({request["port"] for request in provider.requests}) == 1


def test_an_answer_in_chunks_is_read_whole(provider: Provider, api: PostmarkApi) -> None:
    def chunked(handler: Handler, batch: list[dict[str, Any]]) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        content = ok(batch)[1]
        for piece in (content[:7], content[7:50], content[50:], b""):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    provider.plan = [chunked]
    assert outcomes(api.send(letters(2))) == ["accepted", "accepted"]
    assert outcomes(api.send(letters(2))) == ["accepted", "accepted"]
    assert len({request["port"] for request in provider.requests}) == 1


def test_a_request_stays_below_fifty_megabytes(provider: Provider, api: PostmarkApi) -> None:
    assert outcomes(api.send(letters(6, html="x" * 9_000_000))) == ["accepted"] * 6
    assert [int(request["Content-Length"]) < 50_000_000 for request in provider.requests] == [True, True]


# Refusals


def test_each_message_has_its_own_answer(provider: Provider, api: PostmarkApi) -> None:
    codes = [0, 406, 300, 429, 100, 0]
    provider.plan = [lambda handler, batch: (200, json.dumps([
        {"To": one["To"], "ErrorCode": code, "Message": f"said {code}", "MessageID": "x"} for one, code in zip(batch, codes, strict=True)
    ]).encode(), {})]  # fmt: skip
    replies = api.send(letters(6))
    assert outcomes(replies) == ["accepted", "refused", "refused", "deferred", "deferred", "accepted"]
    assert replies[1].text == "406 said 406"


@pytest.mark.parametrize("code", [10, 400, 401, 405, 412, 413, 1235])
def test_our_own_fault_is_blamed_on_no_recipient(provider: Provider, api: PostmarkApi, code: int) -> None:
    """Invariant 7: what is our fault stops the sending; addresses stay as they are."""
    refusal = {"ErrorCode": code, "Message": "The account may not"}
    provider.plan = [answering(200, [refusal, refusal])]
    with pytest.raises(TransportError, match="refuses us, not the recipients"):
        api.send(letters(2))
    provider.plan = [lambda handler, batch: (200, json.dumps([refusal, {"ErrorCode": 0, "To": batch[1]["To"]}]).encode(), {})]
    assert outcomes(api.send(letters(2))) == ["deferred", "accepted"]


def test_a_sender_that_is_refused_is_our_fault_though_the_code_is_that_of_recipients(
    provider: Provider, api: PostmarkApi
) -> None:
    """Invariant 7."""
    provider.plan = [answering(200, [{"ErrorCode": 300, "Message": "Invalid 'From' address: 'x'."}])]
    with pytest.raises(TransportError, match="'From'"):
        api.send(letters(1))


@pytest.mark.parametrize("status", [401, 403, 400, 404, 301, 307])
def test_a_request_that_is_refused_as_a_whole_was_not_sent(provider: Provider, api: PostmarkApi, status: int) -> None:
    provider.plan = [
        answering(status, {"ErrorCode": 10, "Message": "No Server API token"}, Location=f"{provider.url}/elsewhere")
    ]
    with pytest.raises(TransportError, match=f"{status}.*nothing was sent") as caught:
        api.send(letters(2))
    assert TOKEN not in str(caught.value)
    # Redirects are not followed: neither token nor messages go elsewhere.
    assert len(provider.requests) == 1


@pytest.mark.parametrize(("status", "wait"), [(429, 30), (503, 30), (500, 0)])
def test_a_server_that_wants_it_later_is_left_alone_as_long_as_it_says(
    provider: Provider, api: PostmarkApi, status: int, wait: int
) -> None:
    """Invariant 6."""
    provider.plan = [answering(status, {"ErrorCode": 429, "Message": "Slow down"}, Retry_After="30")]
    assert outcomes(api.send(letters(2))) == ["deferred", "deferred"]
    assert wait - 2 < api.wait_seconds <= wait
    replies = api.send(letters(1))
    assert outcomes(replies) == (["deferred"] if wait else ["accepted"])
    assert len(provider.requests) == (1 if wait else 2)


def test_a_short_wait_is_over_when_it_is_over(provider: Provider, api: PostmarkApi) -> None:
    provider.plan = [answering(429, {}, Retry_After="1")]
    assert outcomes(api.send(letters(1))) == ["deferred"]
    time.sleep(1.1)
    assert outcomes(api.send(letters(1))) == ["accepted"]


def test_what_is_too_large_is_halved_until_it_fits(provider: Provider, api: PostmarkApi) -> None:
    def small(handler: Handler, batch: list[dict[str, Any]]) -> Answer:
        return (413, b"", {}) if len(batch) > 2 else ok(batch)

    provider.plan = [small] * 20
    assert outcomes(api.send(letters(7))) == ["accepted"] * 7
    assert provider.recipients == [f"m{count}@example.com" for count in range(7)]
    provider.plan = [answering(413)]
    assert outcomes(api.send(letters(1))) == ["refused"]


def test_one_bad_address_that_blocks_a_request_is_found_and_the_others_are_sent(provider: Provider, api: PostmarkApi) -> None:
    def strict(handler: Handler, batch: list[dict[str, Any]]) -> Answer:
        bad = any(one["To"] == "m3@example.com" for one in batch)
        return (422, b'{"ErrorCode": 300, "Message": "Illegal email address"}', {}) if bad else ok(batch)

    provider.plan = [strict] * 20
    replies = api.send(letters(6))
    assert outcomes(replies) == ["accepted"] * 3 + ["refused"] + ["accepted"] * 2
    assert sorted(provider.recipients) == sorted(set(provider.recipients)) and len(provider.recipients) == 5


def test_a_422_that_is_about_nobody_stops_at_once(provider: Provider, api: PostmarkApi) -> None:
    provider.plan = [answering(422, {"ErrorCode": 402, "Message": "Invalid JSON"})]
    with pytest.raises(TransportError, match="Invalid JSON"):
        api.send(letters(4))
    assert len(provider.requests) == 1


# Connections


def test_a_server_that_is_away_got_nothing() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told: list[int] = []
    with pytest.raises(TransportError, match="cannot be reached; nothing was sent"):
        PostmarkApi(TOKEN, base_url=f"http://127.0.0.1:{port}").send(letters(1), lambda messages: told.append(len(messages)))
    assert told == []


def test_a_connection_that_breaks_within_the_request_sent_nothing(provider: Provider, api: PostmarkApi) -> None:
    """Half a JSON document is none: the messages are not in doubt, and the end was not announced."""

    def drop(handler: Handler) -> bool:
        handler.drop()
        return True

    provider.before_reading = drop
    told: list[int] = []
    with pytest.raises(TransportError, match="nothing was sent"):
        api.send(letters(40, html="x" * 500_000), lambda messages: told.append(len(messages)))
    assert told == []


@pytest.mark.parametrize("misbehaves", [
    drops, hangs, trickles, is_cut_off, answering(502), answering(504), answering(200, b"<html>garbage"), answering(200, {"ErrorCode": 0}),
    answering(200, [{"ErrorCode": 0}]), answering(200, ["a", "b"]), answering(200, [{"ErrorCode": "0"}] * 2), goes_on_and_on,
    answering(200, [{"ErrorCode": 0, "To": "someone@else.test"}] * 2), answering(202, b""),
])  # fmt: skip
def test_without_an_answer_that_can_be_read_the_whole_batch_is_in_doubt(
    provider: Provider, misbehaves: Callable[[Handler, list[dict[str, Any]]], Answer | None]
) -> None:
    """Invariant 8: what is in doubt is said, and never taken for sent or for not sent."""
    api = PostmarkApi(TOKEN, base_url=provider.url, timeout=1)
    provider.plan = [misbehaves]
    began = time.monotonic()
    with pytest.raises(LostReplyError) as caught:
        api.send(letters(2))
    assert time.monotonic() - began < 2.5
    assert isinstance(caught.value, BatchInDoubtError)
    assert caught.value.replies == (None, None)
    # The next batch is not disturbed by what may still come over the old connection.
    assert outcomes(api.send(letters(2, start=10))) == ["accepted", "accepted"]
    api.close()


def test_what_is_known_of_others_is_kept_when_a_part_is_in_doubt(provider: Provider, api: PostmarkApi) -> None:
    provider.plan = [lambda handler, batch: ok(batch), drops]
    with pytest.raises(BatchInDoubtError) as caught:
        api.send(letters(TOGETHER + 2))
    assert outcomes(caught.value.replies) == ["accepted"] * TOGETHER + ["in doubt"] * 2


def test_what_is_known_of_others_is_kept_when_the_server_shuts_us_out(provider: Provider, api: PostmarkApi) -> None:
    provider.plan = [lambda handler, batch: ok(batch), answering(401, {})]
    assert outcomes(api.send(letters(TOGETHER + 2))) == ["accepted"] * TOGETHER + ["deferred"] * 2


def test_when_the_end_cannot_be_recorded_nothing_is_sent(provider: Provider, api: PostmarkApi) -> None:
    """Invariant 14: with the database gone, no message goes out that nobody would know of."""

    def full(messages: Sequence[Message]) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        api.send(letters(3, html="x" * 50_000), full)
    time.sleep(0.2)
    assert provider.taken == []
    assert outcomes(api.send(letters(1))) == ["accepted"]


# Secrets and TLS


@pytest.mark.parametrize("url", ["http://api.postmarkapp.com", "ftp://127.1", "http://localhost.evil.test"])
def test_the_token_does_not_go_over_the_wire_in_clear(url: str) -> None:
    with pytest.raises(TransportError, match="in clear"):
        PostmarkApi(TOKEN, base_url=url)


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Injected: 1", "é"])
def test_a_token_that_is_none_is_refused_before_anything_is_sent(token: str) -> None:
    """Invariant 31: and it is not repeated."""
    with pytest.raises(TransportError, match=r"newsletter\.api_token") as caught:
        PostmarkApi(token)
    assert not token or token not in str(caught.value)


def test_a_certificate_that_is_not_trusted_ends_it_before_anything_is_written(tmp_path: Path) -> None:
    """Invariant 10."""
    provider = Provider()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path), tmp_path / "key.pem")
    with ProviderServer(("127.0.0.1", 0), type("Bound", (Handler,), {"provider": provider})) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"https://127.0.0.1:{server.server_port}"
        with pytest.raises(TransportError, match=r"certificate cannot be trusted; nothing was sent"):
            PostmarkApi(TOKEN, base_url=url, timeout=5).send(letters(1))
        assert provider.requests == []
        api = PostmarkApi(TOKEN, base_url=url, timeout=5, ca_file=tmp_path / "cert.pem")
        assert outcomes(api.send(letters(1))) == ["accepted"]
        api.close()
        server.shutdown()


# As the transport of a digest


def test_a_digest_goes_out_in_batches_and_each_recipient_has_an_outcome(provider: Provider, desk: Callable[..., Desk]) -> None:
    """Invariants 4 and 5."""
    there = desk(batch_size=3)
    members = [f"m{number}@example.com" for number in range(8)]
    there.join(*members)
    account = there.send(there.edition())
    assert account.finished and account.balance == {DeliveryState.SENT: 8}
    assert sorted(provider.recipients) == sorted(members) and len(provider.requests) == 3


def test_an_unanswered_batch_is_in_doubt_and_sent_again_once(provider: Provider, desk: Callable[..., Desk]) -> None:
    """Invariants 2, 3 and 8."""
    there = desk(batch_size=4)
    there.join(*(f"m{number}@example.com" for number in range(6)))
    provider.plan = [drops]
    account = there.send(there.edition())
    assert account.finished and account.balance == {DeliveryState.SENT: 6}
    assert account.sheet.doubted == 4


def test_a_batch_of_a_provider_that_lets_nobody_in_stays_in_the_ledger(provider: Provider, desk: Callable[..., Desk]) -> None:
    there = desk()
    there.join("ann@example.com")
    provider.plan = [answering(401, {"ErrorCode": 10, "Message": "Bad or missing server token"})]
    edition = there.edition()
    with pytest.raises(TransportError, match="let us in"):
        there.send(edition)
    assert there.send(edition).balance == {DeliveryState.SENT: 1}
