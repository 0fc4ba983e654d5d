"""Evidence of consent is added and never changed, whichever way a member came."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from newsroom import NOW
from reception_desk import ReceptionDesk
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError

import dateline.migrations
from content.database import open_sqlite, writing
from dateline.store import open_store
from newsletter.consent import Choices, Consents, Event
from newsletter.erasing import erase
from newsletter.importing import Plan, import_members
from newsletter.lists.columns import layouts
from newsletter.suppression import Suppressions
from newsletter.tables import consents


@pytest.fixture
def desk(tmp_path: Path) -> ReceptionDesk:
    return ReceptionDesk(tmp_path)


def test_an_import_and_a_member_added_by_hand_are_recorded_as_such_and_once(desk: ReceptionDesk, tmp_path: Path) -> None:
    """Invariant 23."""
    path = tmp_path / "list.csv"
    path.write_text("email\nann@x.test\nbob@x.test\n")
    with desk.members() as members:
        members.join("bob@x.test", origin="command line", now=desk.now, confirmed=True)
        members.join("cy@x.test", origin="command line", now=desk.now, confirmed=False)
    reception = desk.reception
    for _ in range(2):
        plan = Plan(layouts(path), confirmed=True)
        import_members(reception.engine, reception.tokens.key, plan, desk.now, tmp_path / "rejects.csv")
    found = {who: [(one.event, one.source) for one in desk.evidence(f"{who}@x.test")] for who in ("ann", "bob", "cy")}
    by_hand = [(Event.BY_HAND, "command line")]
    assert found == {"ann": [(Event.IMPORTED, f"import: list.csv, {desk.now:%Y-%m-%d}")], "bob": by_hand, "cy": []}


def test_evidence_cannot_be_changed_not_even_by_a_mistake_of_ours(desk: ReceptionDesk) -> None:
    desk.join("ann@x.test")
    with pytest.raises(IntegrityError, match="never changed"), desk.writing() as connection:
        connection.execute(update(consents).values(source="elsewhere"))


def test_evidence_goes_with_its_person_and_nobody_elses(desk: ReceptionDesk) -> None:
    """Invariant 41."""
    desk.join("ann@x.test")
    desk.join("bob@x.test")
    desk.ask("Ann@x.test")
    with desk.writing() as connection:
        assert erase(connection, Suppressions(connection, desk.reception.tokens.key), "ann@x.test", desk.now)
    assert (len(desk.evidence("ann@x.test")), len(desk.evidence("bob@x.test")), desk.count(consents)) == (0, 2, 2)
    desk.later(days=2)
    desk.ask("ann@x.test")
    assert desk.send() == 0, "whoever was erased is not mailed"


def test_members_from_before_there_was_evidence_have_what_was_known_of_them(tmp_path: Path) -> None:
    path = tmp_path / "dateline.db"
    with writing(open_sqlite(path)) as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(dateline.migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        for number, (origin, moment) in enumerate([("import:a.csv", NOW), ("command line", NOW), ("command line", None)]):
            row = {"n": number, "o": origin, "at": moment and f"{moment:%Y-%m-%d %H:%M:%S.%f}"}
            connection.execute(text(
                "INSERT INTO subscribers (public_id, email, email_key, state, regions, digests, origin, created_at, confirmed_at)"
                " VALUES (:n, :n, :n, 'confirmed', '', '', :o, '2026-01-01 00:00:00.000000', :at)"
            ), row)  # fmt: skip
    with writing(open_store(path)) as connection:
        known = [[(one.event, one.source, one.happened_at) for one in Consents(connection).of(who)] for who in (1, 2, 3)]
        assert known == [[(Event.IMPORTED, "import:a.csv", NOW)], [(Event.BY_HAND, "command line", NOW)], []]
        with pytest.raises(IntegrityError, match="never changed"):
            connection.execute(update(consents).values(source="elsewhere"))


def test_choices_are_read_as_they_were_written() -> None:
    whole = Choices(("CN", "CN-GD"), ("daily",), "weekly", "pt-BR", "America/Sao_Paulo")
    assert Choices.from_json(whole.to_json()) == whole and Choices.from_json(Choices().to_json()) == Choices()
