"""Who holds a claim, and whether that process still lives."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path


def my_name() -> str:
    """A name for one sender of this process: machine, process, when that was started, its PID namespace, and a lot."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}:{_namespace()}:{secrets.token_hex(3)}"


_at_work: set[str] = set()


@contextmanager
def at_work(name: str) -> Iterator[None]:
    """While a sender of this process is at work. What it holds afterwards, whatever ended it, is anybody's."""
    _at_work.add(name)
    try:
        yield
    finally:
        _at_work.discard(name)


def is_gone(name: str, lease_until: float | None, now: datetime) -> bool:
    """Whether the sender called ``name`` is at work no more: surely so on this machine, elsewhere once the lease is over."""
    host, pid, started, namespace, *_ = [*name.split(":"), "", "", "", ""]
    # Containers may share a hostname: a process number says something only among those who count the same processes.
    if host != socket.gethostname() or namespace != _namespace() or not pid.isdecimal():
        return (lease_until or 0) < now.timestamp()
    if pid == str(os.getpid()):
        return name not in _at_work
    # A process number is given out again; the time at which it was started is not.
    return _started(int(pid)) != started


def _namespace() -> str:
    """The number of the PID namespace that we live in; empty where there is no such thing."""
    try:
        return Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        return ""


def boot() -> str:
    """Which start of this machine we live in; empty where that cannot be told."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process was started, in the kernel's ticks since boot; empty when it is gone, ``?`` when unknown."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self").exists():
            return ""
    except (OSError, IndexError):
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return "?"
