"""Who holds a claim, and whether that process still lives."""

from __future__ import annotations

import os
import secrets
import socket
from datetime import datetime
from pathlib import Path


def my_name() -> str:
    """A name for one sender of this process: machine, process, when that was started, and a number drawn by lot."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}:{secrets.token_hex(3)}"


def is_gone(name: str, lease_until: float | None, now: datetime) -> bool:
    """Whether the sender called ``name`` is dead: surely so on this machine, elsewhere once its lease has run out."""
    host, _, rest = name.partition(":")
    pid, _, rest = rest.partition(":")
    if host == socket.gethostname() and pid.isdecimal():
        # A process number is given out again; the time at which it was started is not.
        return _started(int(pid)) != rest.partition(":")[0]
    return (lease_until or 0) < now.timestamp()


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
