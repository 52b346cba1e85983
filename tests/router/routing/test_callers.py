"""Lists of callers, and how often one may call."""

from router.config import Config
from router.routing.callers import Blocklist, CallerList
from router.routing.rate import MOST_CALLERS, CallRate


def test_numbers_beginnings_and_callers_without_a_number() -> None:
    callers = CallerList(["+447700900123", "+4477009006*", "anonymous", "101"])
    assert all(caller in callers for caller in ("+447700900123", "+447700900655", None, "101"))
    assert not any(caller in callers for caller in ("+447700900124", "+447", "", "1011", "anonymous"))
    assert None not in CallerList(["+4477009006*"])
    assert "+447700900123" not in CallerList([])


def test_the_first_block_that_names_the_caller_answers() -> None:
    blocks = [{"callers": ["+44*"], "answer": "busy"}, {"callers": ["+447700900123"]}]
    assert Blocklist(Config.model_validate({"block": blocks})).everywhere("+447700900123") == "busy"


def test_a_window_slides() -> None:
    now = 0.0
    rate = CallRate(monotonic=lambda: now)
    assert [rate.allows("a", 2, 60) for _ in range(3)] == [True, True, False]
    assert rate.allows("b", 2, 60)
    now = 59.9
    assert not rate.allows("a", 2, 60)
    now = 60.0
    assert [rate.allows("a", 2, 60) for _ in range(3)] == [True, True, False]


def test_calls_that_were_refused_do_not_count() -> None:
    now = 0.0
    rate = CallRate(monotonic=lambda: now)
    assert rate.allows("a", 1, 60)
    for second in range(1, 60):
        now = float(second)
        assert not rate.allows("a", 1, 60)
    now = 60.0
    assert rate.allows("a", 1, 60)


def test_memory_is_bounded() -> None:
    rate = CallRate(monotonic=lambda: 0.0)
    for caller in range(MOST_CALLERS + 100):
        rate.allows(str(caller), 1, 60)
    assert not rate.allows(str(MOST_CALLERS + 99), 1, 60)
    assert rate.allows("0", 1, 60)  # forgotten, and let through
