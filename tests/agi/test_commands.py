import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi import commands, variables
from agi.commands import UnsafeValue, command, quote, set_variables

SAFE = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters='",\\()[]\x7f'), max_size=300
)


def read_back(lines: list[bytes]) -> list[tuple[str, str]]:
    """What MSet sets: the quoted argument, split at commas, each at its first equals sign."""
    found: list[tuple[str, str]] = []
    for line in lines:
        assert line.startswith(b'EXEC MSet "')
        assert line.endswith(b'"\n')
        pairs = line[11:-2].decode().split(",")
        assert len(pairs) <= commands.MAX_PAIRS
        found += [(name, value) for name, _, value in (pair.partition("=") for pair in pairs)]
    return found


def test_one_line_sets_all_and_the_sentinel_last() -> None:
    lines = set_variables(
        [(variables.NUMBER, "+442079460123"), (variables.SITE, "shop"), (variables.OK, "1")]
    )
    assert lines == [b'EXEC MSet "LL_NUMBER=+442079460123,LL_SITE=shop,LL_OK=1"\n']


@given(st.lists(st.tuples(st.from_regex(r"LL_[A-Z0-9]{1,8}", fullmatch=True), SAFE), min_size=1, max_size=60))
def test_lines_are_short_and_set_what_was_asked_in_order(pairs: list[tuple[str, str]]) -> None:
    lines = set_variables([*pairs, (variables.OK, "1")])
    assert all(len(line) <= commands.MAX_LINE_BYTES and line.count(b"\n") == 1 for line in lines)
    assert read_back(lines) == [*pairs, (variables.OK, "1")]


def test_lines_are_no_more_than_needed() -> None:
    assert len(set_variables([(f"LL_X{n}", "") for n in range(24)])) == 1
    assert len(set_variables([(f"LL_X{n}", "") for n in range(25)])) == 2
    full = commands.MAX_LINE_BYTES - len('EXEC MSet ""\n') - len("A=")
    assert len(set_variables([("A", "x" * full)])) == 1
    with pytest.raises(UnsafeValue, match="A is 1888 bytes long"):
        set_variables([("A", "x" * (full + 1))])


@pytest.mark.parametrize("value", ['a"b', "a,b", "a\\b", "a\nb", "a\rb", "a\0b", "a(b", "a]b", "\x7f"])
def test_a_value_that_would_not_arrive_as_it_is_is_refused(value: str) -> None:
    with pytest.raises(UnsafeValue, match="LL_D1"):
        set_variables([("LL_D1", value)])


@pytest.mark.parametrize("name", ["", "1A", "A B", "A=B", "A,B", "A\n", "___A"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UnsafeValue):
        set_variables([(name, "x")])


def test_quoting() -> None:
    assert quote('say "hi" \\o/') == '"say \\"hi\\" \\\\o/"'
    assert command("DATABASE PUT", "leaseline", "442079460123", 'PJSIP/"x"') == (
        b'DATABASE PUT "leaseline" "442079460123" "PJSIP/\\"x\\""\n'
    )
    with pytest.raises(UnsafeValue):
        quote("a\nb")
    with pytest.raises(UnsafeValue):
        command("NOOP\nEXEC System", "x")
