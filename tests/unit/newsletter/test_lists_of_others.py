"""Lists as other programs write them: which file, which letters, which columns, and whom they say not to mail."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lists import Members

from content.errors import ConfigError
from newsletter.lists.columns import Role, layouts, parse_map
from newsletter.lists.files import LONGEST_LINE
from newsletter.subscribers import SubscriberError
from newsletter.suppression import Reason

MAILCHIMP = '"Email Address","First Name","Last Name",Address,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,'
MAILCHIMP += "LATITUDE,LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,LAST_CHANGED,LEID,EUID,NOTES,TAGS"
ROW = (
    '{},Ann,Ayr,"1 High St  Ayr",2,"2021-03-04 05:06:07",192.0.2.1,"2021-03-04 05:16:07",192.0.2.1,,,0,0,Europe/London,gb,sct,'
)
ROW += '"2021-03-04 05:16:07",123,abc,,"""Kenya"",""VIP"""'


@pytest.fixture
def site(tmp_path: Path) -> Members:
    return Members(tmp_path / "site")


def mailchimp_zip(site: Members) -> Path:
    gone = MAILCHIMP.replace("NOTES", "NOTES,UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_CAMPAIGN_ID,UNSUB_REASON,UNSUB_REASON_OTHER")
    left = ROW.replace(',"""Kenya"",""VIP"""', ',"2022-05-06 07:08:09",News,9,NORMAL,,')
    cleaned = MAILCHIMP.replace("NOTES", "NOTES,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID")
    bounced = ROW.replace(',"""Kenya"",""VIP"""', ',"2022-07-08 07:08:09",News,9,')
    files = {
        "subscribed": [MAILCHIMP, ROW.format("in@x.test"), ROW.format("both@x.test")],
        "unsubscribed": [gone, left.format("left@x.test"), left.format("Both@x.test")],
        "cleaned": [cleaned, bounced.format("cleaned@x.test")],
        "nonsubscribed": [MAILCHIMP, ROW.format("customer@x.test")],
    }
    path = site.root / "audience_export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, lines in files.items():
            archive.writestr(f"{name}_email_audience_export_0e633f6c70.csv", "\ufeff" + "\r\n".join(lines) + "\r\n")
        archive.writestr("__MACOSX/._subscribed.csv", b"\0\1")
    return path


def test_the_zip_of_a_mailchimp_export_is_read_as_it_comes(site: Members) -> None:
    """Invariant 23."""
    report = site.take(mailchimp_zip(site))
    assert (report.lines, report.rejected, report.waiting) == (6, 0, 1)
    assert site.standings == {
        "in@x.test": "confirmed", "Both@x.test": "left", "left@x.test": "left", "cleaned@x.test": "suppressed",
        "customer@x.test": "pending",
    }  # fmt: skip
    member = site.all["in@x.test"]
    assert (member.regions, member.confirmed_at) == (("KE",), datetime(2021, 3, 4, 5, 16, 7, tzinfo=UTC))
    assert site.all["left@x.test"].left_at == datetime(2022, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert site.all["cleaned@x.test"].reason is Reason.HARD_BOUNCE


def test_a_file_out_of_a_mailchimp_export_is_known_by_its_name(site: Members) -> None:
    text = f"{MAILCHIMP}\n{ROW.format('left@x.test')}\n"
    site.take(text, name="unsubscribed_members_export_3f2a.csv")
    site.take(text.replace("left@", "in@"), name="subscribed_members_export_3f2a.csv")
    assert site.standings == {"left@x.test": "left", "in@x.test": "confirmed"}


def test_a_substack_export_is_known_by_its_columns(site: Members) -> None:
    header = "email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at\n"
    rows = "free@x.test,false,,other,false,2024-01-15T10:00:00.000Z,\npaid@x.test,true,2026-12-01,monthly,false,2024-02-01,\n"
    path = site.root / "substack.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("posts.csv", "post_id,title\n1,Hello\n")
        archive.writestr("posts/1.delivers.csv", "post_id,email\n1,stranger@x.test\n")
        archive.writestr("email_list.news.csv", header + rows + "off@x.test,false,,other,true,2024-01-15T10:00:00.000Z,\n")
    (layout,) = layouts(path)
    assert layout.program == "Substack"
    site.take(path)
    assert site.standings == {"free@x.test": "confirmed", "paid@x.test": "confirmed", "off@x.test": "left"}
    assert site.all["free@x.test"].created_at == datetime(2024, 1, 15, 10, tzinfo=UTC)


def test_a_ghost_export_is_known_by_its_columns(site: Members) -> None:
    text = "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,labels,tiers\n"
    text += '1,in@x.test,Ann,"a note, with\nmail@other.test",true,false,,2024-01-15T10:00:00.000Z,,"Kenya,vip",\n'
    text += "2,off@x.test,Bob,,false,false,cus_1,2024-01-15T10:00:00.000Z,,,\n"
    text += "3,gone@x.test,Cy,,true,false,,2024-01-15T10:00:00.000Z,2025-01-15T10:00:00.000Z,,\n"
    site.take(text)
    assert site.standings == {"in@x.test": "confirmed", "off@x.test": "left", "gone@x.test": "left"}
    assert site.all["in@x.test"].regions == ("KE",)


def test_a_listmonk_export_is_known_by_its_columns(site: Members) -> None:
    text = "uuid,email,name,attributes,status,created_at,updated_at\n"
    for number, status in enumerate(("enabled", "disabled", "blocklisted")):
        text += (
            f'u{number},m{number}@x.test,Ann,"{{""city"": ""Ayr, Scotland""}}",{status},2024-01-15 10:00:00.1+00,2024-01-15\n'
        )
    site.take(text)
    assert list(site.standings.values()) == ["left", "suppressed", "confirmed"]
    assert site.all["m2@x.test"].reason is Reason.BY_HAND


def test_a_buttondown_export_is_known_by_its_columns(site: Members) -> None:
    words = {
        "regular": "confirmed", "premium": "confirmed", "churning": "confirmed", "unactivated": "pending",
        "unsubscribed": "left", "removed": "left", "spammy": "suppressed", "undeliverable": "suppressed",
        "complained": "suppressed",
    }  # fmt: skip
    text = "id,creation_date,email_address,notes,metadata,tags,type,source,unsubscription_date\n"
    text += "".join(f"1,2024-01-15T10:00:00Z,{word}@x.test,,{{}},[],{word},api,\n" for word in words)
    assert site.take(text).rejected == 0
    assert site.standings == {f"{word}@x.test": standing for word, standing in words.items()}


@pytest.mark.parametrize(
    "text",
    [
        "email,name\na@x.test,Ann\nb@x.test,Bob", "Name;E-Mail\nAnn;a@x.test\nBob;b@x.test", "Email Address\na@x.test\nb@x.test",
        "a@x.test,Ann\nb@x.test,Bob", "a@x.test\nb@x.test", "Name\tMail\nAnn\ta@x.test\nBob\tb@x.test",
        "sep=;\nE-mail Address;Tag\na@x.test;x\nb@x.test;y", "Wer;Wohin\nAnn;a@x.test\nBob;b@x.test",
        "Address,Mail\n1 High St,a@x.test\n2 High St,b@x.test", '"Name","Primary Email"\n"A, n","a@x.test"\n"B","b@x.test"',
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_usual_files_are_understood(site: Members, text: str, encoding: str, end: str) -> None:
    site.take(text.replace("\n", end).encode(encoding))
    assert set(site.all) == {"a@x.test", "b@x.test"}


def test_a_byte_of_another_encoding_spoils_no_other_line(site: Members) -> None:
    site.take("email,name\nann@müller.test,Ann\n".encode() + "bob@exämple.test,Zoë\n".encode("cp1252"))
    assert set(site.all) == {"ann@müller.test", "bob@exämple.test"}


def test_a_status_whose_words_are_not_known_keeps_everybody_out(site: Members) -> None:
    report = site.take("email,status\na@x.test,désabonné\nb@x.test,abonné\n")
    assert (report.rejected, site.all) == (2, {})
    assert site.take("email,status\na@x.test,Gold\n", "standing=").rejected == 0


@pytest.mark.parametrize(
    ("column", "cells", "standings"),
    [
        ("State", ("Ohio", "Iowa"), ["confirmed", "confirmed"]),
        ("Type", ("Customer", "Partner"), ["confirmed", "confirmed"]),
        ("Unsubscribed", ("", "2024-01-01"), ["left", "confirmed"]),
        ("Email Opt Out", ("0", "1"), ["left", "confirmed"]),
        ("Opt-in", ("yes", ""), ["confirmed", "pending"]),
        ("Subscribed", ("Ja", "Nein"), ["left", "confirmed"]),
    ],
)
def test_columns_are_guessed_by_what_they_hold(
    site: Members, column: str, cells: tuple[str, str], standings: list[str]
) -> None:
    site.take(f"email,{column}\na@x.test,{cells[0]}\nb@x.test,{cells[1]}\n")
    assert list(site.standings.values()) == standings


def test_where_somebody_lives_is_no_wish(site: Members) -> None:
    text = "email,Country\na@x.test,Kenya\n"
    site.take(text)
    assert site.all["a@x.test"].regions == ()
    site.take(text.replace("a@", "b@"), "regions=country")
    assert site.all["b@x.test"].regions == ("KE",)


def test_columns_can_be_named_or_counted(site: Members) -> None:
    text = "email,Contact,Gone\nold@x.test,new@x.test,yes\n"
    site.take(text, "email=Contact", "unwanted=3")
    assert site.standings == {"new@x.test": "left"}


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("email=Kontakt", "has no such column; it has email, name"),
        ("mail=x", "one of email, regions"),
        ("email", "ROLE=COLUMN"),
    ],
)
def test_a_wrong_map_says_what_there_is(site: Members, pair: str, said: str) -> None:
    path = site.root / "m.csv"
    path.write_text("email,name\na@x.test,Ann\n")
    with pytest.raises(ConfigError, match=said):
        layouts(path, parse_map([pair]))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no address"), (b"\n\n", "no address"), (b"name,phone\nAnn,1\n", "columns are name, phone.*--map email="),
        (b"\x89PNG\r\n\x1a\n\0\0", "no column holds addresses"), (b"PK\x05\x06" + bytes(18), "no .csv, .tsv or .txt file"),
    ],
)  # fmt: skip
def test_a_file_without_addresses_is_refused(site: Members, content: bytes, said: str) -> None:
    path = site.root / "m.csv"
    path.write_bytes(content)
    with pytest.raises(SubscriberError, match=said):
        layouts(path)


def test_a_spreadsheet_and_a_broken_or_missing_file_say_what_to_do(site: Members) -> None:
    path = site.root / "m.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
    with pytest.raises(SubscriberError, match="save it as CSV"):
        layouts(path)
    spoilt = mailchimp_zip(site)
    content = bytearray(spoilt.read_bytes())
    content[100:140] = bytes(40)
    spoilt.write_bytes(content)
    with pytest.raises(SubscriberError, match="cannot be unpacked"):
        site.take(spoilt)
    with pytest.raises(SubscriberError, match="No such file"):
        layouts(site.root / "nothing.csv")
    with pytest.raises(SubscriberError, match="Is a directory"):
        layouts(site.root)


def test_a_line_without_end_is_given_up_and_not_kept_in_memory(site: Members) -> None:
    report = site.take("email\na@x.test\n" + "x" * (3 * LONGEST_LINE) + "\nb@x.test\n")
    assert (report.lines, report.rejected, set(site.all)) == (3, 1, {"a@x.test", "b@x.test"})
    assert len(site.rejected[0][2]) <= 1000


def test_every_role_can_be_mapped() -> None:
    assert set(parse_map([f"{role}=x" for role in Role])) == set(Role)
