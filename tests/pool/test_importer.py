"""Numbers from CSV files, good and bad."""

from __future__ import annotations

import random
from pathlib import Path

import phonenumbers
import pytest
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from pool import e164 as e164_module
from pool.database import NotAtOnce
from pool.e164 import BadNumber, e164
from pool.importer import BadRow, ImportProgress, ImportRefused, NumbersFileError, read_numbers
from pool.inventory import UnknownNumbers
from pool.leases import Rung
from pool.numbers import NumberKind
from pool.service import Pool

from .stock import START, add_numbers, leeds, london, wish


def numbers_file(folder: Path, text: str | bytes) -> Path:
    file = folder / "numbers.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def bad_rows(folder: Path, text: str | bytes) -> list[tuple[int, str]]:
    rows = [row for row, _ in read_numbers(numbers_file(folder, text), "GB")]
    return [(row.row, row.reason) for row in rows if isinstance(row, BadRow)]


@pytest.mark.parametrize(
    "written",
    [
        "+442079460123",
        "020 7946 0123",
        "(020) 7946-0123",
        "+44 (0)20 7946 0123",
        "0044 20 7946 0123",
        "tel:+44-20-7946-0123",
    ],
)
def test_any_written_form_becomes_e164(written: str) -> None:
    assert e164(written, "GB") == "+442079460123"


@pytest.mark.parametrize(
    "written", ["", "12", "hello", "+999123456789", "+4420794601", "020 7946 0123 ext. 5", "=1+1"]
)
def test_what_is_no_number_is_refused(written: str) -> None:
    with pytest.raises(BadNumber):
        e164(written, "GB")


def test_the_quick_way_agrees_with_phonenumbers_for_every_country() -> None:
    chance = random.Random(20261122)
    tried = 0
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        for region in regions:
            for kind in range(11):
                if region == "001":
                    example = phonenumbers.example_number_for_non_geo_entity(code)
                else:
                    example = phonenumbers.example_number_for_type(region, kind)
                if example is None:
                    continue
                digits = list(str(example.national_number))
                for _ in range(4):
                    digits[chance.randrange(len(digits))] = chance.choice("0123456789")
                    text = f"+{code}{''.join(digits)}"
                    if e164_module._is_plainly_valid(text):
                        tried += 1
                        number = phonenumbers.parse(text, None)
                        assert phonenumbers.is_valid_number(number), text
                        assert phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == text
    assert tried > 1_000


@pytest.mark.parametrize(
    "text",
    [
        "number,kind\n+442079460001,dynamic\n",
        "\ufeffnumber;channel;kind\r\n020 7946 0001;Press;static\r\n",
        'NUMBER\tKind\tChannel\n"020 7946 0001"\tSTATIC\tPress\n\n',
        "label , number\nfront desk,02079460001",
    ],
)
def test_separators_marks_and_line_ends(tmp_path: Path, text: str) -> None:
    (row, _), *rest = read_numbers(numbers_file(tmp_path, text), "GB")
    assert not isinstance(row, BadRow)
    assert row.number == "+442079460001"
    assert not rest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("phone\n+442079460001\n", "header with the column `number`"),
        ("", "header with the column `number`"),
        ("number,price\n", "unknown or doubled columns price"),
        ("number,number\n", "unknown or doubled"),
        ("number\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_what_is_no_numbers_file_is_refused_whole(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(NumbersFileError, match=message):
        list(read_numbers(numbers_file(tmp_path, text), "GB"))


def test_bad_rows_are_named_by_the_row_of_a_spreadsheet(tmp_path: Path) -> None:
    text = "\n".join(
        [
            "number,kind,site,channel",
            "+442079460001,,,",
            "12345,,,",
            "",
            f"{london(2)},mobile,,",
            f"{london(3)},,Shop!,",
            f"{london(4)},static,shop,",
            f"{london(5)},,",
            f"{london(6)},,,=cmd\x07",
        ]
    )
    assert bad_rows(tmp_path, text) == [
        (3, "'12345' is not a valid number of country code +44"),
        (5, "kind 'mobile' is none of dynamic, static, reserve, extension"),
        (6, "site 'Shop!': 1 to 32 of a-z 0-9 _ - are allowed"),
        (7, "a static number needs a channel"),
        (8, "3 cells where the header has 4"),
        (9, "channel: at most 200 printable characters are allowed"),
    ]


def test_bytes_that_are_not_utf8_spoil_their_row_alone(tmp_path: Path) -> None:
    text = b"number,label\n+442079460001,caf\xe9\n+442079460002,fine\n"
    assert bad_rows(tmp_path, text) == [(2, "not UTF-8 text")]


async def test_all_or_nothing(pool: Pool, tmp_path: Path) -> None:
    file = numbers_file(tmp_path, f"number\n{london(1)}\nnonsense\n{london(2)}\n020 7946 0001\n")
    with pytest.raises(
        ImportRefused, match=r"2 bad rows: row 3: 'nonsense' is no telephone number; row 5: .* in the file"
    ):
        await pool.import_csv(file, START, default_country="GB")
    assert await pool.numbers() == []
    report = await pool.import_csv(file, START, default_country="GB", skip_bad=True)
    assert (report.rows, report.added, report.bad_count) == (4, 2, 2)
    assert [record.number for record in await pool.numbers()] == [london(1), london(2)]


async def test_overlapping_imports_change_what_the_file_says_and_nothing_else(
    pool: Pool, tmp_path: Path
) -> None:
    await add_numbers(pool, f"{london(1)},desk", f"{london(2)},desk", header="number,label")
    lease = await pool.lease(wish("v1"), START)
    await pool.retire([london(2)], START)
    text = f"number,label\n{london(1)},\n{london(2)},window\n{london(3)},door\n"
    report = await pool.import_csv(numbers_file(tmp_path, text), START + 1, default_country="GB")
    assert (report.added, report.changed, report.unchanged) == (1, 1, 1)
    records = {record.number: record for record in await pool.numbers()}
    assert (records[london(1)].label, records[london(1)].site) == ("desk", "shop")
    assert (records[london(2)].label, records[london(2)].retired_at) == ("window", None)
    assert (await pool.lease(wish("v1"), START + 2)).slots == lease.slots


async def test_a_number_of_another_kind_is_a_bad_row(pool: Pool, tmp_path: Path) -> None:
    await add_numbers(pool, f"{london(1)},reserve", header="number,kind")
    file = numbers_file(tmp_path, f"number\n{london(1)}\n")
    with pytest.raises(ImportRefused, match=r"row 2: \+442079460001 is known as reserve, not dynamic"):
        await pool.import_csv(file, START, default_country="GB")


async def test_progress_is_told_for_both_passes(pool: Pool, tmp_path: Path) -> None:
    told: list[ImportProgress] = []
    text = "number\n" + "\n".join(f"+88800000{n:06}" for n in range(2_500)) + "\n"
    report = await pool.import_csv(
        numbers_file(tmp_path, text), START, default_country=None, progress=told.append
    )
    assert report.added == 2_500
    assert [(step.stage, step.rows) for step in told] == [
        (stage, rows) for stage in ("checking", "writing") for rows in (1_000, 2_000, 2_500)
    ]
    assert told[0].share == pytest.approx(0.4, abs=0.01)
    assert told[-1].share == pytest.approx(1.0, abs=0.01)


async def test_retired_numbers_are_given_no_more_but_known(pool: Pool) -> None:
    await add_numbers(pool, london(1), london(2))
    held = await pool.lease(wish("v1"), START)
    assert await pool.retire([london(1), london(2)], START) == 2
    assert await pool.retire([london(1)], START + 5) == 0
    (shown,) = (await pool.lease(wish("v2"), START)).slots
    assert shown.rung is Rung.MAIN
    assert (await pool.lease(wish("v1"), START + 1)).slots == held.slots
    record = await pool.number(london(2))
    assert record is not None
    assert record.retired_at == START
    with pytest.raises(UnknownNumbers, match=leeds(9).replace("+", r"\+")):
        await pool.retire([leeds(9)], START)


async def test_a_number_is_told_at_once_where_nothing_has_to_be_waited_for(pool: Pool) -> None:
    await add_numbers(pool, london(1))
    if pool.database.dialect == "sqlite":
        assert pool.number_at_once(london(2)) is None
        assert pool.number_at_once(london(1)) == await pool.number(london(1))
    else:
        with pytest.raises(NotAtOnce):
            pool.number_at_once(london(1))
    known = await pool.number(london(1))
    assert known is not None
    assert known.number == london(1)
    assert pool.number_at_once(london(1)) is known


async def test_moved_numbers_serve_their_new_pool(pool: Pool) -> None:
    await add_numbers(pool, london(1), london(2))
    held = await pool.lease(wish("v1"), START)
    assert await pool.move([london(1), london(2)], START + 1, pool="north") == 2
    (shown,) = (await pool.lease(wish("v2", pool="north"), START + 1)).slots
    assert shown.number == london(2)
    assert (await pool.lease(wish("v1"), START + 2)).slots == held.slots


async def test_listing_filters_and_pages(pool: Pool) -> None:
    rows = [f"{london(1)},,a,", f"{london(2)},,b,", f"{leeds(1)},static,,Press", f"{leeds(2)},reserve,,"]
    await add_numbers(pool, *rows, header="number,kind,pool,channel")
    await pool.retire([london(2)], START)
    assert [record.number for record in await pool.numbers(most=2)] == [leeds(1), leeds(2)]
    assert [record.number for record in await pool.numbers(after=leeds(2))] == [london(1), london(2)]
    assert [record.number for record in await pool.numbers(pool="a")] == [london(1)]
    assert [record.number for record in await pool.numbers(kind=NumberKind.STATIC)] == [leeds(1)]
    assert [record.number for record in await pool.numbers(retired=True)] == [london(2)]
    assert [record.number for record in await pool.numbers(kind=NumberKind.DYNAMIC, retired=False)] == [
        london(1)
    ]
