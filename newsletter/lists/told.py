"""What does another program's word for a member's state mean here?"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache

from newsletter.suppression import Reason


class Told(IntEnum):
    """What a list says of a member. Where its cells say several things, the greatest holds: the one that mails least."""

    SUBSCRIBED = 0
    WAITING = 1
    """Has not agreed yet."""
    LEFT = 2
    BOUNCED = 3
    BLOCKED = 4
    COMPLAINED = 5

    @property
    def is_out(self) -> bool:
        return self >= Told.LEFT

    @property
    def reason(self) -> Reason | None:
        """Why the address is suppressed, if it is."""
        return _REASONS.get(self)


_REASONS = {Told.BOUNCED: Reason.HARD_BOUNCE, Told.BLOCKED: Reason.BY_HAND, Told.COMPLAINED: Reason.COMPLAINT}

_WORDS = {
    # Mailchimp, Substack, Ghost, listmonk, Buttondown and ours, and what people write by hand.
    Told.SUBSCRIBED: "subscribed active enabled confirmed regular premium trialed unpaid gifted churning paused past_due free"
    " paid comped comp gift complimentary founding subscriber member yes opted_in optin",
    Told.WAITING: "pending unconfirmed unactivated nonsubscribed non_subscribed not_subscribed transactional waiting",
    Told.LEFT: "unsubscribed left removed disabled inactive archived deleted opted_out optout unsubscriber no",
    Told.BOUNCED: "cleaned bounced undeliverable hard_bounce hard_bounced invalid",
    Told.BLOCKED: "blocklisted blacklisted blocked suppressed banned spammy",
    Told.COMPLAINED: "complained complaint spam abuse marked_as_spam",
}
_MEANING = {word: told for told, words in _WORDS.items() for word in words.split()}
_YES = frozenset("true yes y 1 t on x ja oui si sí sim".split())  # noqa: SIM905
_NO = frozenset("false no n 0 f off nein non não".split())  # noqa: SIM905


@lru_cache(maxsize=1024)
def meaning(word: str) -> Told | None:
    """What a word such as ``Cleaned`` or ``opted-out`` says; ``None`` when it is not known."""
    return _MEANING.get("_".join(word.strip().lower().replace("-", " ").split()))


def yes_or_no(word: str) -> bool | None:
    """What is meant by ``TRUE`` or ``0``; ``None`` by anything else, and by nothing."""
    folded = word.strip().lower()
    return True if folded in _YES else False if folded in _NO else None
