"""Sending over SMTP: several connections to one or several servers at once, none of which waits for another."""

from __future__ import annotations

import logging
import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from newsletter.headers import HeaderError
from newsletter.smtp_lines import Line, Lines
from newsletter.smtp_opening import AwayError, Opened, SmtpServer
from newsletter.smtp_openings import Openings
from newsletter.smtp_policy import Policy
from newsletter.smtp_session import Session, Step
from newsletter.syncing import Syncer
from newsletter.transport import Delivery, Message, Outcome, Queue, RefusedError, Reply, TransportError

_POLICY = re.compile(r"5\d\d[ -]5\.7\.\d+")
"""Enhanced status codes (RFC 3463) that mean us, not the recipient."""
log = logging.getLogger("dateline.sending")

_AHEAD = 4
"""Deliveries that are recorded to go next, for each open connection. After a power cut as many more are in doubt."""
_MOMENT = 0.001
_TICK = 0.2
"""Seconds after which a request to stop is seen at the latest."""
_GOODBYE_SECONDS = 2.0


class SmtpTransport:
    """A :class:`newsletter.transport.Transport` to one or several SMTP servers.

    ``ca_file`` holds certificates to trust besides the system's. ``timeout`` is how long a server may keep silent, and how long
    we go on trying to reach one that was there before; in seconds.
    """

    def __init__(self, servers: Sequence[SmtpServer], *, hello: str, timeout: float = 60, ca_file: Path | None = None) -> None:
        self._lines = Lines(servers)
        self._hello, self._timeout, self._ca_file = hello, timeout, ca_file
        self._sessions: dict[Session, Line] = {}
        # What goes next, with the number of the sync after which it may.
        self._next: deque[tuple[int, Delivery]] = deque()
        self._policy = Policy()
        self._told: list[Line] = []
        self._error: TransportError | None = None
        self._was_open = False
        self._gathers = False
        self._alone_since = self._expire_at = self._begun_at = self._looked_at = 0.0

    def run(self, queue: Queue) -> None:
        self._queue = queue
        self._error, self._policy = None, Policy()
        self._selector = selectors.DefaultSelector()
        self._wake, waker = socket.socketpair()
        self._waker = waker
        self._wake.setblocking(False)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._openings = Openings(self._hello, self._timeout, self._ca_file, self._rouse)
        self._syncer = Syncer(queue.log)
        if self._syncer.answers >= 0:
            self._selector.register(self._syncer.answers, selectors.EVENT_READ, self._syncer)
        try:
            self._loop()
        except BaseException:
            self._break_off()
            raise
        finally:
            self._close_all()
        if self._error:
            raise self._error

    def close(self) -> None:
        """Everything was closed when :meth:`run` ended."""

    # The loop

    def _loop(self) -> None:
        self._alone_since = self._looked_at = time.monotonic()
        while True:
            now = time.monotonic()
            if self._queue.is_stopped():
                self._return_next()
            pause = self._hand_out(now)
            if not self._is_busy():
                if self._error or (not self._next and self._queue.wait() is None):
                    return
                self._mind_the_gap(now)
                if self._error:
                    return
            self._forgive(time.monotonic() - self._looked_at)
            events = self._selector.select(_MOMENT if self._gathers else min(_TICK, pause))
            self._looked_at = time.monotonic()
            for key, mask in events:
                self._serve(key, mask)
            for line, result in self._openings.ended(self._looked_at):
                self._welcome(line, result)
            self._begin_bodies()
            self._expire(self._looked_at)

    def _forgive(self, away: float) -> None:
        """While we were away, waiting for the ledger, no server could be heard: that is not its silence."""
        if away > _TICK:
            for session in self._sessions:
                session.moved_at += away

    def _is_busy(self) -> bool:
        # A connection that nobody needs any more is not waited for.
        if self._next and len(self._openings):
            return True
        return any(not (session.is_idle or session.is_leaving) for session in self._sessions)

    def _serve(self, key: selectors.SelectorKey, mask: int) -> None:
        if key.data is None:
            with suppress(BlockingIOError):
                self._wake.recv(4096)
            return
        if key.data is self._syncer:
            self._syncer.hear()
            if not self._syncer.is_alive:
                self._selector.unregister(key.fd)
            return
        session: Session = key.data
        session.moved_at = time.monotonic()
        if mask & selectors.EVENT_READ:
            session.can_read()
        if mask & selectors.EVENT_WRITE and session.is_open:
            session.can_write()
        self._watch(session)

    def _watch(self, session: Session) -> None:
        """Keeps the selector in line with what a session waits for; forgets one that is closed."""
        if not session.is_open:
            if line := self._sessions.pop(session, None):
                if not session.is_leaving:
                    self._vacate(line)
                self._selector.unregister(session.socket)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if session.wants_to_write else 0)
        if session.watched != wanted:
            session.watched = wanted
            self._selector.modify(session.socket, wanted, session)

    def _expire(self, now: float) -> None:
        if now < self._expire_at:
            return
        self._expire_at = now + _TICK
        for session in [one for one in self._sessions if not one.is_idle]:
            if now - session.moved_at > (_GOODBYE_SECONDS if session.is_leaving else self._timeout):
                session.give_up(f"the server kept silent for {self._timeout:g} s")
                self._watch(session)

    def _vacate(self, line: Line) -> None:
        """A connection's place at its server is free."""
        line.open -= 1
        line.welcomes -= 1

    def _leave(self, session: Session) -> None:
        """Takes leave of a server; another connection may take this one's place at once."""
        self._vacate(self._sessions[session])
        session.moved_at = time.monotonic()
        session.say_goodbye()

    # Handing out work

    def _hand_out(self, now: float) -> float:
        """Gives idle connections an envelope and opens more where there is more to do; returns how long nothing else is due."""
        pause = _TICK
        if not self._next and (fresh := self._fetch()):
            self._queue.begin((), fresh)
            self._name(fresh)
        is_idle = False
        for session in [one for one in self._sessions if one.is_idle]:
            line = self._sessions[session]
            if session.count >= line.messages:
                line.reach()
                self._leave(session)
            elif line.rate.next_at > now:
                pause, is_idle = min(pause, line.rate.next_at - now), True
                continue
            elif following := self._following(session, now):
                session.moved_at = now
                session.address(following[1], following[2])
                session.ticket = following[0]
            else:
                is_idle = True
            self._watch(session)
        if not (self._error or is_idle):
            self._open_more(now)
        wait = self._queue.wait()
        return pause if not wait else min(pause, wait)

    def _fetch(self) -> list[Delivery]:
        """Takes what is to go next, a little ahead, so that its record is on the disk when its turn comes."""
        if self._error:
            return []
        fresh: list[Delivery] = []
        room = _AHEAD * max(1, len(self._sessions)) - len(self._next)
        while len(fresh) < room and (delivery := self._queue.take()):
            fresh.append(delivery)
        return fresh

    def _name(self, fresh: Sequence[Delivery]) -> None:
        """Has the disk keep what was recorded to go next."""
        if fresh:
            ticket = self._syncer.ask()
            self._next.extend((ticket, delivery) for delivery in fresh)

    def _open_more(self, now: float) -> None:
        """Opens a connection for each delivery that no connection is free for."""
        while len(self._next) > len(self._openings) and (line := self._lines.freest(now)):
            self._openings.begin(line)

    def _following(self, session: Session, now: float) -> tuple[int, Delivery, Message] | None:
        """The next delivery for a connection, with its message; counted against the server's rate."""
        line = self._sessions[session]
        if self._error or session.count >= line.messages or line.rate.next_at > now:
            return None
        while self._next:
            ticket, delivery = self._next.popleft()
            try:
                message = self._queue.message(delivery, smtputf8=session.smtputf8)
            except HeaderError as error:
                self._queue.settle(delivery, Reply(Outcome.REFUSED, str(error)))
                continue
            line.rate.go(now)
            return ticket, delivery, message
        return None

    def _begin_bodies(self) -> None:
        """Sends the messages that servers wait for, recorded in one step with those that come up next."""
        # Nearly always what was asked for a while ago is on the disk by now. What is not begins when it is: between the
        # record that a message is on the wire and its last byte lies nothing that takes time.
        ready = [session for session in self._sessions if session.wants_body and session.ticket <= self._syncer.done]
        waiting = [(session, session.addressed) for session in ready]
        now = time.monotonic()
        # One step for several costs little more than for one: where messages follow each other at once, it is worth a moment.
        self._gathers = 0 < 2 * len(waiting) < len(self._sessions) and now - self._begun_at < _MOMENT
        if not waiting or self._gathers:
            return
        self._begun_at = now
        fresh = self._fetch() if len(self._next) < _AHEAD // 2 * len(self._sessions) else []
        allowed = self._queue.begin([delivery for _, delivery in waiting if delivery], fresh)
        self._name(fresh)
        for session, delivery in waiting:
            session.moved_at = now
            if delivery and delivery.id in allowed:
                following = self._following(session, now) if session.pipelines else None
                session.send_body(following[1:] if following else None)
                session.ticket = following[0] if following else 0
            else:
                # Its recipient has left; what follows an envelope is a message or nothing.
                session.drop()
            self._watch(session)

    # Connections

    def _rouse(self) -> None:
        """Ends the loop's waiting; from any thread."""
        with suppress(OSError):
            self._waker.send(b".")

    def _welcome(self, line: Line, result: Opened | TransportError) -> None:
        now = time.monotonic()
        if isinstance(result, TransportError):
            line.open -= 1
            line.refuse(now, for_good=not isinstance(result, AwayError))
            self._last_error = result
            if len(self._lines.all) > 1 and line not in self._told:
                self._told.append(line)
                log.warning("%s; the other servers stand in", result)
            return
        self._was_open = True
        line.away_until = 0.0
        line.welcomes += 1
        session = Session(result, self)
        session.moved_at = now
        self._sessions[session] = line
        session.watched = selectors.EVENT_READ
        self._selector.register(session.socket, session.watched, session)

    def _mind_the_gap(self, now: float) -> None:
        """No connection is busy or opening though there is work: ends the sending when no server is to be had."""
        if self._sessions:
            self._alone_since = now
            return
        if not self._lines.are_away(now):
            return
        if self._lines.are_struck_off() or not self._was_open or now - self._alone_since > self._timeout:
            self._error = self._last_error
            self._return_next()

    _last_error: TransportError = TransportError("no server could be reached")

    def _return_next(self) -> None:
        while self._next:
            self._queue.give_back(self._next.pop()[1])

    def _break_off(self) -> None:
        """Something unforeseen ended the loop: what was begun and not answered is in doubt."""
        for session in list(self._sessions):
            session.give_up("the sending broke off")

    def _close_all(self) -> None:
        self._return_next()
        self._openings.abandon()
        for session in list(self._sessions):
            if session.is_open and not session.is_leaving:
                self._leave(session)
            self._watch(session)
        until = time.monotonic() + _GOODBYE_SECONDS
        while self._sessions and time.monotonic() < until:
            for key, mask in self._selector.select(0.1):
                self._serve(key, mask)
        for session in list(self._sessions):
            session.close()
            self._watch(session)
        self._selector.close()
        self._syncer.close()
        self._wake.close()
        self._waker.close()

    # What sessions tell

    def answered(self, session: Session, delivery: Delivery, step: Step, code: int, words: str) -> None:
        if code < 300:
            self._sessions[session].failures = 0
            self._policy.accepted()
            self._queue.settle(delivery, Reply(Outcome.ACCEPTED, words))
        elif code >= 500 and (step is Step.MAIL or _POLICY.match(words)):
            self._refused(self._sessions[session], delivery, step, words)
        else:
            self._queue.settle(delivery, Reply(Outcome.DEFERRED if code < 500 else Outcome.REFUSED, words))

    def _refused(self, line: Line, delivery: Delivery, step: Step, words: str) -> None:
        """The server refuses us: to be tried again; and the end of the sending where it is not one domain's way alone."""
        said = f"the server refuses {'the sender' if step is Step.MAIL else 'us, not the recipient'} ({words})"
        self._queue.settle(delivery, Reply(Outcome.DEFERRED, said))
        if self._policy.refused("" if step is Step.MAIL else delivery.domain, ever_sent=self._queue.has_sent):
            self._error = self._error or RefusedError(f"{line.server.address}: {said}")

    def broke(self, session: Session, unsent: list[Delivery], lost: Delivery | None, words: str, at: Step | None) -> None:
        line = self._sessions[session]
        if lost:
            self._queue.lose(lost, f"{line.server.address}: no reply after the message was written ({words})")
        # What closes at a recipient may be his domain's doing; what closes before, or in silence, is the server's.
        recipients = at in (Step.RCPT, Step.DATA)
        for delivery in unsent:
            # A server that closes after so many messages says nothing about the next one's recipient.
            self._queue.give_back(delivery, blamed=recipients or not session.accepted, words=words if recipients else "")
        if recipients:
            return
        if not session.accepted:
            line.put_off(time.monotonic())
            self._last_error = AwayError(f"{line.server.address}: {words}")
        elif unsent and not lost:
            line.close(session.accepted)
