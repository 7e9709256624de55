"""The strict JSON parser: what it refuses, and that it says why."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ainoval.api.errors import MalformedBody, UnsupportedMediaType
from ainoval.api.parsing import MAX_DEPTH, MAX_MEMBERS, parse_json, require_json

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
)
keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=20)


@settings(deadline=None)
@given(values)
def test_what_can_be_stored_is_read_as_it_was_written(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_either_read_or_refused_with_words(data: bytes) -> None:
    try:
        value = parse_json(data)
    except MalformedBody as exc:
        assert exc.message
        exc.message.encode()
    else:
        json.dumps(value, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"a": 1e400}', "too large"),
        (b'{"a": -1e999}', "too large"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": Infinity}', "Infinity"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
        (b'{"a": "\\u0000"}', "NUL"),
        (b'{"a\\u0000b": 1}', "NUL"),
        (b'{"a": 9223372036854775808}', "64 bits"),
        (b'{"a": -9223372036854775809}', "64 bits"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "64 bits"),
        (b'{"a": 1, "a": 1}', "twice"),
        (b'{"x": [{"a": 1, "b": 2, "\\u0061": 3}]}', "'a' twice"),
        (b'{"a": "\xff"}', "UTF-8 (byte 7)"),
        (b'{"a": "\xed\xa0\x80"}', "UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        (b'\xef\xbb\xbf{"a": 1}', "BOM"),
        (b'{"a": 1} {"b": 2}', "Extra data"),
        (b'{"a": 1}x', "Extra data"),
        (b'{"a": 1', "line 1, column 8"),
        (b"{'a': 1}", "column 2"),
        (b'{"a": 01}', "column"),
        (b'{"a": "\n"}', "control character"),
        (b"   ", "not JSON"),
        (b"[" * 100_000, "deeper than 32"),
        (b'{"a":' * 50_000, "deeper than 32"),
    ],
)
def test_a_body_that_cannot_be_kept_is_refused_with_the_reason(body: bytes, words: str) -> None:
    with pytest.raises(MalformedBody) as refused:
        parse_json(body)
    assert words in refused.value.message
    refused.value.message.encode()


@pytest.mark.parametrize("inner", [b"1", b'"x"', b""])
def test_nesting_is_allowed_to_exactly_the_limit(inner: bytes) -> None:
    assert parse_json(b"[" * MAX_DEPTH + inner + b"]" * MAX_DEPTH)
    with pytest.raises(MalformedBody, match="deeper"):
        parse_json(b"[" * (MAX_DEPTH + 1) + inner + b"]" * (MAX_DEPTH + 1))


def test_text_below_the_deepest_level_is_checked_too() -> None:
    with pytest.raises(MalformedBody, match="NUL"):
        parse_json(b"[" * MAX_DEPTH + b'"\\u0000"' + b"]" * MAX_DEPTH)


@pytest.mark.parametrize(
    ("text", "value"), [("105.0", 105), ("1e3", 1000), ("-0.0", 0), ("1.5", 1.5), ("1e300", 1e300), ("9007199254740993.0", 9007199254740992.0)]
)
def test_a_number_without_a_fraction_is_an_integer_however_it_is_written(text: str, value: float) -> None:
    parsed = parse_json(text.encode())
    assert (parsed, type(parsed)) == (value, type(value))


def test_the_largest_integers_of_64_bits_and_whole_surrogate_pairs_are_kept() -> None:
    assert parse_json(b"[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]
    assert parse_json(b'"\\ud83d\\ude00"') == "😀"


@pytest.mark.parametrize("body", [b'["' + b'\\"' * 500_000, b'{"a":' + b" " * 1_000_000, b"1" * 1_000_000, b"1." + b"1" * 1_000_000])
def test_a_large_hostile_body_costs_no_more_than_a_large_one(body: bytes) -> None:
    started = time.process_time()
    try:
        parse_json(body)
    except MalformedBody:
        pass
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json;x=y",
    ],
)
def test_json_in_utf_8_is_accepted(content_type: str) -> None:
    require_json(content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/jsonx",
        "application/*",
        "*/*",
        "application/json, application/json",
        "application/json; charset=gbk",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset*=utf-16''x",
    ],
)
def test_any_other_type_is_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        require_json(content_type)


def test_an_object_of_more_members_than_any_body_has_is_refused_at_once() -> None:
    # Each unknown one would be an error in the answer: of a mebibyte of them six, after seconds.
    members = b",".join(b'"%x": 0' % number for number in range(MAX_MEMBERS))
    assert len(parse_json(b"{%s}" % members)) == MAX_MEMBERS
    with pytest.raises(MalformedBody, match="members"):
        parse_json(b'[{%s, "one more": 0}]' % members)
