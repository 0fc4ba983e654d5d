"""What becomes of the lines of a list: who comes in, who stays out, and what is said of bad ones."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lists import KEY, NOW, Members

from content.database import writing
from content.errors import ConfigError
from dateline.store import open_store
from newsletter import importing
from newsletter.importing import import_members
from newsletter.lists.batches import Fate
from newsletter.lists.columns import layouts
from newsletter.lists.records import records
from newsletter.subscribers import Joined, SubscriberError
from newsletter.suppression import Reason, Suppressions


@pytest.fixture
def site(tmp_path: Path) -> Members:
    return Members(tmp_path / "site")


def test_a_bad_line_is_set_aside_with_its_reason_and_the_sums_are_right(site: Members) -> None:
    """Invariant 40, in small."""
    text = 'email,regions\na@x.test,CN|IN\nnonsense,\n"b@x.test\r\nBcc: c@x.test",\nA@X.test,\nd@x.test,Xanadu\n\n,CN\n'
    report = site.take(text)
    assert report.counts == {
        "lines": 7, "added": 1, "confirmed": 0, "merged": 1, "left": 0, "suppressed": 0, "rejected": 5,
    }  # fmt: skip
    assert [(line, raw) for line, _, raw in site.rejected] == [
        (3, "nonsense,"), (4, '"b@x.test'), (5, 'Bcc: c@x.test",'), (7, "d@x.test,Xanadu"), (9, ",CN"),
    ]  # fmt: skip
    reasons = " / ".join(reason for _, reason, _ in site.rejected)
    for words in ("not an email address", "quotation mark", "'Xanadu' is not known", "there is no address"):
        assert words in reasons
    assert stat.S_IMODE(site.rejects.stat().st_mode) == 0o600
    assert {email: one.regions for email, one in site.all.items()} == {"a@x.test": ("CN", "IN")}
    again = site.take(text)
    assert (again.fates, again.rejected) == ({Fate.MERGED: 2}, 5)


def test_a_list_that_was_mended_can_be_imported_again_as_a_whole(site: Members) -> None:
    text = "email,name\nann@x,test\nbob@x.test,Bob\n"
    assert site.take(text).fates == {Fate.ADDED: 1}
    ((line, reason, raw),) = site.rejected
    assert (line, raw) == (2, "ann@x,test") and "'ann@x'" in reason
    assert site.take(text.replace("x,test", "x.test,Ann")).fates == {Fate.ADDED: 1, Fate.MERGED: 1}


@pytest.mark.parametrize("bad", ['"b@x.test,Bob', 'b@x.test,"Bob', '"b@x.test,"Bob', 'b@x.test,"Bob ""x"', '"'])
@pytest.mark.parametrize(
    "others",
    [["c@x.test,Cy", "d@x.test,Di"], ['"c@x.test","Cy"', '"d@x.test","Di"'], ['c@x.test,"Cy, of Ayr"', 'd@x.test,"D ""i"""']],
)
def test_a_stray_quotation_mark_costs_its_own_line_alone(site: Members, bad: str, others: Sequence[str]) -> None:
    report = site.take("\n".join(["email,name", "a@x.test,Ann", bad, *others * 30, "e@x.test,Ed"]))
    assert set(site.all) - {"b@x.test"} == {"a@x.test", "c@x.test", "d@x.test", "e@x.test"}
    assert report.lines == 63
    assert [line for line, _, _ in site.rejected] in ([3], [])


def test_a_cell_may_hold_line_ends_and_counts_as_one(site: Members) -> None:
    report = site.take('email,note\na@x.test,"first\n\nsecond, and\nthird"\nb@x.test,\nnonsense,\n')
    assert (report.lines, report.fates[Fate.ADDED], [line for line, _, _ in site.rejected]) == (3, 2, [7])


@given(st.lists(st.lists(st.text("ab\"'\n, ;é", max_size=6), min_size=2, max_size=2), max_size=8))
def test_what_a_program_writes_as_csv_is_read_as_it_was(rows: list[list[str]]) -> None:
    import csv
    import io

    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_MINIMAL).writerows(rows)
    filled = [row for row in rows if any(cell and not cell.isspace() for cell in row)]
    lines = io.StringIO(text.getvalue(), newline="").readlines()
    assert [list(one.cells or ()) for one in records(lines, ",", 2)] == filled


@given(st.lists(st.text("ab@\"'\r\n,.x", max_size=20), max_size=60))
def test_no_line_is_lost_whatever_stands_in_it(parts: list[str]) -> None:
    """Invariant 40: each line is in a record or in none, in its place, and those behind it are read."""
    lines = [part.replace("\n", "").replace("\r", "") + "\n" for part in parts] + ["last@x.test,Z\n"]
    found = list(records(lines, ",", 2))
    assert found[-1].raw.endswith("last@x.test,Z")
    spans = [one.raw.count("\n") + 1 for one in found]
    covered = {line for one, span in zip(found, spans, strict=True) for line in range(one.line, one.line + span)}
    assert {number for number, line in enumerate(lines, 1) if line.strip() and line.strip(', \n"')} <= covered


def test_a_line_with_too_many_cells_is_refused_because_they_may_stand_in_wrong_columns(site: Members) -> None:
    site.take("email,status,regions\na@x.test,unsubscribed,CN,IN\nb@x.test,subscribed,CN,,\n")
    assert set(site.all) == {"b@x.test"} and "4 cells for 3 columns" in site.rejected[0][1]


def test_a_line_that_ends_before_it_says_whether_to_mail_is_refused(site: Members) -> None:
    site.take("email,name,status\na@x.test,Ann\nb@x.test,Bob,subscribed\nc@x.test,Cy,perhaps\nd@x.test,Di,\n")
    assert set(site.all) == {"b@x.test"}
    assert ["ends before" in site.rejected[0][1], "'perhaps' is no standing" in site.rejected[1][1]] == [True, True]


def test_addresses_that_differ_in_letter_case_or_in_the_form_of_the_domain_are_one_member(site: Members) -> None:
    report = site.take("email\nann@Müller.test\nANN@xn--mller-kva.test\nAnn <ann@müller.TEST>\nbob@x.test\n")
    assert (report.fates, set(site.all)) == ({Fate.ADDED: 2, Fate.MERGED: 2}, {"ann@Müller.test", "bob@x.test"})


def test_who_left_here_stays_out(site: Members) -> None:
    """Invariant 23."""
    site.join("a@x.test")
    site.leave("a@x.test")
    assert site.take("email\nA@x.test\n").fates == {Fate.LEFT: 1}
    assert site.standings == {"a@x.test": "left"}


def test_a_suppressed_address_is_revived_by_no_list(site: Members) -> None:
    """Invariant 23."""
    site.join("a@x.test")
    site.suppress("a@x.test", Reason.HARD_BOUNCE)
    site.suppress("never-here@x.test", Reason.COMPLAINT)
    report = site.take("email\na@x.test\nNever-Here@X.test\nb@x.test\n")
    assert report.fates == {Fate.SUPPRESSED: 2, Fate.ADDED: 1}
    assert site.standings == {"a@x.test": "suppressed", "b@x.test": "confirmed"}


def test_who_asked_to_be_forgotten_does_not_come_back_even_as_one_who_left(site: Members) -> None:
    """Invariant 41."""
    site.suppress("a@x.test", Reason.ERASED)
    assert site.take("email,status\na@x.test,unsubscribed\nA@x.test,cleaned\na@x.test,active\n").fates == {Fate.SUPPRESSED: 3}
    assert site.all == {}


_LINES = st.lists(
    st.tuples(
        st.sampled_from(["a@x.test", "A@X.test", "b@x.test", "b@X.TEST"]),
        st.sampled_from(["active", "pending", "unsubscribed", "cleaned", "complained", "perhaps", ""]),
    ),
    max_size=8,
)


@given(st.lists(st.one_of(_LINES, st.sampled_from(["leave a@x.test", "suppress b@x.test"])), max_size=5))
@settings(max_examples=60)
def test_whoever_was_out_once_is_not_mailed_whatever_is_imported(acts: list[list[tuple[str, str]] | str]) -> None:
    """Invariant 23."""
    with TemporaryDirectory() as folder:
        site, out = Members(Path(folder)), set()
        for act in acts:
            if isinstance(act, str):
                what, address = act.split()
                staying = {email.lower() for email, standing in site.standings.items() if standing != "left"}
                if what == "leave" and address in staying:
                    site.leave(address)
                    out.add(address)
                elif what == "suppress":
                    site.suppress(address, Reason.COMPLAINT)
                    out.add(address)
            elif act:
                text = "email,status\n" + "".join(f"{email},{word}\n" for email, word in act)
                first, again = site.take(text), site.take(text)
                assert (again.fates[Fate.ADDED], again.fates[Fate.CONFIRMED], again.rejected) == (0, 0, first.rejected)
                out |= {email.lower() for email, word in act if word in ("unsubscribed", "cleaned", "complained")}
            mailed = {email.lower() for email, standing in site.standings.items() if standing == "confirmed"}
            assert not mailed & out


def test_a_suppression_whose_time_is_over_holds_nobody_and_stands_in_no_ones_way(site: Members) -> None:
    site.join("b@x.test")
    for email in ("a@x.test", "b@x.test"):
        site.suppress(email, Reason.HARD_BOUNCE, NOW + timedelta(days=1))
    later = NOW + timedelta(days=2)
    report = site.take("email,status\na@x.test,bounced\nb@x.test,active\n", now=later)
    assert report.fates == {Fate.SUPPRESSED: 1, Fate.MERGED: 1}
    assert site.standings == {"a@x.test": "suppressed", "b@x.test": "confirmed"}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_lines_about_one_member_that_which_takes_them_out_holds(site: Members, order: tuple[int, int]) -> None:
    lines = ("a@x.test,subscribed\n", "A@x.test,unsubscribed\n")
    assert site.take("email,status\n" + "".join(lines[at] for at in order)).fates == {Fate.LEFT: 2}
    assert list(site.standings.values()) == ["left"]


def test_those_who_are_out_are_recorded_before_anybody_is_added(site: Members, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant 23, when the import is killed: nobody is a member whom a later line takes out."""

    class KilledError(Exception):
        pass

    def kill(done: int, total: int) -> None:
        if done * 2 >= total:
            raise KilledError

    monkeypatch.setattr(importing, "BATCH", 10)
    path = site.root / "m.csv"
    path.write_text("email,status\n" + "a@x.test,active\n" * 500 + "a@x.test,unsubscribed\n")
    with pytest.raises(KilledError):
        import_members(site.engine, KEY, importing.Plan(layouts(path)), NOW, site.rejects, kill)
    assert site.standings == {"a@x.test": "left"}
    assert site.take(path).fates == {Fate.LEFT: 501}


def test_who_came_to_us_after_leaving_elsewhere_stays_a_member(site: Members) -> None:
    site.join("a@x.test", now=datetime(2026, 6, 1, tzinfo=UTC))
    site.join("b@x.test", now=datetime(2026, 6, 1, tzinfo=UTC))
    rows = "a@x.test,2024-05-01 10:00:00\nb@x.test,2026-08-01 10:00:00\n"
    assert site.take("Email,unsubscribed_at\n" + rows).fates == {Fate.MERGED: 1, Fate.LEFT: 1}
    assert site.standings == {"a@x.test": "confirmed", "b@x.test": "left"}


def test_a_complaint_made_elsewhere_suppresses_a_member_of_ours(site: Members) -> None:
    site.join("a@x.test")
    assert site.take("email,status\na@x.test,complained\n").fates == {Fate.SUPPRESSED: 1}
    assert site.all["a@x.test"].reason is Reason.COMPLAINT and site.join("a@x.test") is Joined.SUPPRESSED


def test_an_address_that_bounced_elsewhere_waits_for_consent_when_its_suppression_is_lifted(site: Members) -> None:
    site.take("email,status\na@x.test,cleaned\n")
    site.lift("a@x.test")
    assert site.standings == {"a@x.test": "pending"}


def test_consent_is_kept_with_the_list_it_came_from_and_its_date_there(site: Members) -> None:
    """Invariant 23."""
    site.take("email,confirmed_at\na@x.test,2020-02-29 08:00:00\nb@x.test,\nc@x.test,2199-01-01\nd@x.test,01/02/2020\n")
    assert {one.confirmed_at for one in site.all.values()} == {datetime(2020, 2, 29, 8, tzinfo=UTC), NOW}
    assert {one.origin for one in site.all.values()} == {"import: members.csv, 2026-11-23"}


def test_members_of_an_unconfirmed_list_wait_and_a_confirmed_one_brings_them_in(site: Members) -> None:
    report = site.take("a@x.test\nb@x.test\n", confirmed=False)
    assert (report.waiting, site.standings) == (2, {"a@x.test": "pending", "b@x.test": "pending"})
    assert site.take("email,type\na@x.test,regular\nb@x.test,unactivated\n").fates == {Fate.CONFIRMED: 1, Fate.MERGED: 1}
    assert site.standings == {"a@x.test": "confirmed", "b@x.test": "pending"}


def test_a_region_that_is_not_known_never_means_all_of_them(site: Members) -> None:
    report = site.take("email,regions\na@x.test,Chnia\nb@x.test,CN|Chnia\n")
    assert [(one.line, one.severity.value) for one in report.problems] == [(2, "error"), (3, "warning")]
    assert {email: one.regions for email, one in site.all.items()} == {"b@x.test": ("CN",)}


def test_unknown_regions_may_be_ignored_on_purpose(site: Members) -> None:
    report = site.take("email,regions\na@x.test,Chnia\n", unknown_regions="ignore")
    assert (report.warnings, site.all["a@x.test"].regions) == (1, ())


def test_tags_that_are_regions_become_wishes_and_others_are_no_error(site: Members) -> None:
    rows = '"[""Kenya"", ""VIP""]"', "CN-GD|AI", "Mobile;Nice;Reading;TV", '"Guangdong, China, South Korea"'
    site.take("email,tags\n" + "".join(f"m{number}@x.test,{row}\n" for number, row in enumerate(rows)))
    assert [one.regions for one in site.all.values()] == [("KE",), ("CN-GD",), (), ("CN", "CN-GD", "KR")]


def test_what_a_member_chose_here_is_kept(site: Members) -> None:
    site.take("email,regions\na@x.test,CN\n")
    assert site.take("email,regions\na@x.test,IN\n").fates == {Fate.MERGED: 1}
    assert site.all["a@x.test"].regions == ("CN",)


def test_no_name_is_kept(tmp_path: Path) -> None:
    site = Members(tmp_path / "site", open_store(tmp_path / "dateline.db"))
    site.take("email,First Name,Last Name\na@x.test,Wilhelmina,Featherstone\n")
    assert all(b"Wilhelmina" not in path.read_bytes() for path in tmp_path.glob("dateline.db*"))


def test_the_file_to_be_imported_is_not_overwritten_with_its_rejects(site: Members) -> None:
    path = site.root / "m.csv"
    path.write_text("email\nnonsense\n")
    with pytest.raises(ConfigError, match="name another"):
        import_members(site.engine, KEY, importing.Plan(layouts(path)), NOW, path)
    assert path.read_text() == "email\nnonsense\n"


def test_a_rejects_file_that_cannot_be_written_says_so(site: Members) -> None:
    path = site.root / "m.csv"
    path.write_text("email\nnonsense\n")
    with pytest.raises(SubscriberError, match="name another file with --rejects"):
        import_members(site.engine, KEY, importing.Plan(layouts(path)), NOW, site.root / "no" / "r.csv")


def test_a_formula_in_a_bad_line_is_neutralised_in_the_rejects_file(site: Members) -> None:
    """Invariant 43."""
    site.take("email,x\n=HYPERLINK(1)@,y\n")
    assert site.rejected[0][2] == "'=HYPERLINK(1)@,y"


def test_other_writers_get_their_turn_during_an_import(site: Members, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH", 10)
    path = site.root / "m.csv"
    path.write_text("email\n" + "".join(f"m{number}@x.test\n" for number in range(100)))
    turns = []

    def write(done: int, total: int) -> None:
        with writing(site.engine) as connection:
            Suppressions(connection, KEY).add(f"other{done}@x.test", Reason.BY_HAND, NOW)
        turns.append((done, total))

    import_members(site.engine, KEY, importing.Plan(layouts(path)), NOW, site.rejects, write)
    assert len(turns) >= 10 and turns[-1] == (101, 101) and turns == sorted(turns)
