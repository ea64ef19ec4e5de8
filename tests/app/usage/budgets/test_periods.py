from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.usage.periods import Period, PeriodKind, Span

HOUR = 3600


def unix(text, zone="UTC", fold=0):
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp())


@pytest.mark.parametrize(
    ("kind", "zone", "now", "start", "end"),
    [
        ("minute", "UTC", "2026-11-20T10:20:59", "2026-11-20T10:20:00", "2026-11-20T10:21:00"),
        ("hour", "UTC", "2026-11-20T10:00:00", "2026-11-20T10:00:00", "2026-11-20T11:00:00"),
        ("hour", "UTC", "2026-11-20T10:59:59", "2026-11-20T10:00:00", "2026-11-20T11:00:00"),
        ("hour", "Asia/Kolkata", "2026-11-20T10:20:00", "2026-11-20T10:00:00", "2026-11-20T11:00:00"),
        ("hour", "Asia/Kathmandu", "2026-11-20T10:20:00", "2026-11-20T10:00:00", "2026-11-20T11:00:00"),
        ("day", "UTC", "2026-11-20T23:59:59", "2026-11-20", "2026-11-21"),
        ("day", "Pacific/Auckland", "2026-11-20T00:00:00", "2026-11-20", "2026-11-21"),
        ("week", "UTC", "2026-11-20T12:00:00", "2026-11-16", "2026-11-23"),
        ("week", "UTC", "2026-11-16T00:00:00", "2026-11-16", "2026-11-23"),
        ("week", "America/New_York", "2027-01-01T12:00:00", "2026-12-28", "2027-01-04"),
        ("month", "UTC", "2026-11-30T23:59:59", "2026-11-01", "2026-12-01"),
        ("month", "UTC", "2028-02-29T12:00:00", "2028-02-01", "2028-03-01"),
        ("month", "UTC", "2027-02-28T23:59:59", "2027-02-01", "2027-03-01"),
        ("month", "Asia/Tokyo", "2026-12-31T23:59:59", "2026-12-01", "2027-01-01"),
        ("month", "Asia/Tokyo", "2027-01-01T00:00:00", "2027-01-01", "2027-02-01"),
        # Months and weeks in which summer time begins or ends.
        ("month", "Europe/Berlin", "2026-03-31T23:59:59", "2026-03-01", "2026-04-01"),
        ("month", "America/New_York", "2026-11-01T00:30:00", "2026-11-01", "2026-12-01"),
        ("week", "Europe/Berlin", "2026-10-25T23:00:00", "2026-10-19", "2026-10-26"),
    ],
)
def test_a_period_is_the_calendars(kind, zone, now, start, end):
    span = Period(PeriodKind(kind), zone).span(unix(now, zone))
    assert span == Span(unix(start, zone), unix(end, zone))


def test_a_total_never_ends():
    assert Period(PeriodKind.TOTAL).span(1_800_000_000) == Span(0, None)


def test_a_fraction_of_a_second_belongs_to_its_second():
    minute = Period(PeriodKind.MINUTE)
    assert minute.start(119.999) == 60
    assert minute.end(119.999) == 120
    assert minute.start(120.0) == 120


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("Europe/Berlin", "2026-10-26", 24),
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        # Clocks that jump over midnight, and one that shows it twice.
        ("Africa/Cairo", "2026-04-24", 23),
        ("Asia/Beirut", "2026-03-29", 23),
        ("America/Sao_Paulo", "2018-11-04", 23),
        ("America/Havana", "2026-11-01", 25),
        # The clock went from 23:30 of the day before to 00:30.
        ("America/Toronto", "1919-03-31", 23.5),
    ],
)
def test_a_day_has_the_hours_that_the_clock_gives_it(zone, day, hours):
    noon = unix(f"{day}T12:00:00", zone)
    start, end = Period(PeriodKind.DAY, zone).span(noon)
    assert (end - start) / HOUR == hours
    shown = datetime.fromtimestamp(start, ZoneInfo(zone))
    before = datetime.fromtimestamp(start - 1, ZoneInfo(zone))
    assert (shown.date().isoformat(), before.date() < shown.date()) == (day, True)


def test_case_119_a_clock_that_goes_back_over_midnight_does_not_begin_the_day_twice():
    """St. John's went from 00:01 on 7 November back to 23:01 on the 6th."""
    zone = "America/St_Johns"
    day = Period(PeriodKind.DAY, zone)
    midnight = unix("2010-11-07T00:00:00", zone)
    shown = [datetime.fromtimestamp(midnight + s, ZoneInfo(zone)).day for s in (-1, 0, 59, 60, 3599, 3600)]
    assert shown == [6, 7, 7, 6, 6, 7]
    starts = [day.start(midnight + second) for second in (0, 59, 60, 3599, 3600, 20 * HOUR)]
    assert starts == [midnight] * 6
    assert day.end(midnight - 1) == midnight


def test_a_date_that_the_calendar_skips_has_no_period():
    """Samoa had no 30 December 2011."""
    day = Period(PeriodKind.DAY, "Pacific/Apia")
    last = unix("2011-12-29T12:00:00", "Pacific/Apia")
    assert day.end(last) - day.start(last) == 24 * HOUR
    after = day.end(last)
    assert day.start(after) == after
    assert datetime.fromtimestamp(after, ZoneInfo("Pacific/Apia")).isoformat()[:16] == "2011-12-31T00:00"


def test_an_hour_that_the_clock_shows_twice_is_two_periods():
    hour = Period(PeriodKind.HOUR, "Europe/Berlin")
    first = unix("2026-10-25T02:30:00", "Europe/Berlin", fold=0)
    again = unix("2026-10-25T02:30:00", "Europe/Berlin", fold=1)
    assert hour.span(first) == Span(first - 1800, first + 1800)
    assert hour.span(again) == Span(again - 1800, again + 1800)
    assert hour.end(first) == hour.start(again)


def test_an_hour_that_the_clock_leaves_out_is_no_period():
    hour = Period(PeriodKind.HOUR, "Europe/Berlin")
    before = unix("2026-03-29T01:59:59", "Europe/Berlin")
    assert hour.end(before) == unix("2026-03-29T03:00:00", "Europe/Berlin") == before + 1


def test_a_change_by_half_an_hour_cuts_its_hour():
    zone = "Australia/Lord_Howe"
    hour = Period(PeriodKind.HOUR, zone)
    back = unix("2026-04-05T01:59:59", zone, fold=0) + 1  # 02:00 becomes 01:30
    assert hour.span(back - 1) == Span(back - HOUR, back)
    assert hour.span(back) == hour.span(back + 1799) == Span(back, back + 1800)
    assert hour.span(back + 1800) == Span(back + 1800, back + 1800 + HOUR)
    forth = unix("2026-10-04T01:59:59", zone) + 1  # 02:00 becomes 02:30
    assert hour.span(forth - 1) == Span(forth - HOUR, forth)
    assert hour.span(forth) == Span(forth, forth + 1800)
    # Venezuela went from 02:30 to 03:00: the change ends an hour that had begun.
    hour = Period(PeriodKind.HOUR, "America/Caracas")
    change = unix("2016-05-01T03:00:00", "America/Caracas")
    assert hour.span(change - 1) == Span(change - 1800, change)
    assert hour.span(change) == Span(change, change + HOUR)


ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/Caracas",
    "America/New_York",
    "America/St_Johns",
    "America/Havana",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Asia/Gaza",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Apia",
    "Pacific/Kwajalein",
]


@given(
    kind=st.sampled_from(PeriodKind),
    zone=st.sampled_from(ZONES),
    now=st.integers(unix("1980-01-01"), unix("2037-01-01")),
)
@example(kind=PeriodKind.DAY, zone="Pacific/Kwajalein", now=unix("1993-08-21T12:00:00"))
@example(kind=PeriodKind.HOUR, zone="America/Caracas", now=unix("2016-05-01T06:59:59"))
@example(kind=PeriodKind.DAY, zone="Asia/Pyongyang", now=unix("2018-05-04T14:59:59"))
@example(kind=PeriodKind.HOUR, zone="Australia/Lord_Howe", now=unix("2026-04-04T15:15:00"))
def test_periods_meet_without_gap_or_overlap(kind, zone, now):
    period = Period(kind, zone)
    start, end = period.span(now)
    assert start <= now
    if end is None:
        return
    assert now < end
    assert period.span(start) == period.span(end - 1) == (start, end)
    assert period.span(end).start == end
    assert period.span(start - 1).end == start


@pytest.mark.parametrize("zone", ZONES)
def test_a_year_has_every_day_once(zone):
    """Walk from period to period, and compare with the dates that the clock shows at noon."""
    day = Period(PeriodKind.DAY, zone)
    moment, last = unix("2010-06-01T12:00:00", zone), unix("2012-02-01T12:00:00", zone)
    walked = []
    while moment < last:
        start, end = day.span(moment)
        walked.append(datetime.fromtimestamp((start + end) // 2, ZoneInfo(zone)).date())
        moment = end
    assert len(set(walked)) == len(walked)
    first = walked[0]
    calendar = [first + timedelta(days=n) for n in range((walked[-1] - first).days + 1)]
    skipped = set(calendar) - set(walked)
    assert {date.isoformat() for date in skipped} == ({"2011-12-30"} if zone == "Pacific/Apia" else set())


@pytest.mark.parametrize(
    "zone", ["Europe/Berln", "", "Europe", "../../etc/passwd", "/etc/passwd", "europe berlin"]
)
def test_an_unknown_zone_is_refused_with_one_that_is_known(zone):
    with pytest.raises(ValueError, match="is no time zone; write one such as `Europe/Berlin`"):
        Period(PeriodKind.DAY, zone)


def test_periods_that_are_alike_are_equal():
    assert Period(PeriodKind.DAY) == Period(PeriodKind.DAY, "UTC")
    assert (
        len({Period(PeriodKind.DAY), Period(PeriodKind.DAY, "UTC"), Period(PeriodKind.DAY, "Asia/Tokyo")})
        == 2
    )
    assert datetime.fromtimestamp(Period(PeriodKind.DAY).start(0), UTC).year == 1970
