"""Query parameters and the shape of a page."""

import pytest
from django.http import QueryDict

from ainoval.api.errors import InvalidQuery, PageTooDeep
from ainoval.api.pagination import PageRequest, flag, page_of, page_request, several, single


def test_a_page_is_the_first_twenty_unless_asked_otherwise() -> None:
    assert page_request(QueryDict("")) == PageRequest(0, 20)
    assert page_request(QueryDict("page=3&size=100&unknown=x")).offset == 300


@pytest.mark.parametrize(
    "query",
    [
        "page=1&page=1",
        "size=5&size=6",
        "page=-1",
        "page=%2B1",
        "page=1_000",
        "page=%D9%A1",
        "page=%EF%BC%91",
        "page=",
        "page=1.0",
        "page=0x1",
        "page=%201",
        "page=1%00",
        "size=0",
        "size=101",
        "size=-5",
        "size=abc",
        "size=99999999999999999999999999",
        "page=²",
    ],
)
def test_a_number_written_any_other_way_is_refused(query: str) -> None:
    with pytest.raises(InvalidQuery):
        page_request(QueryDict(query))


@pytest.mark.parametrize("query", ["page=1000&size=100", "page=5000", "page=99999999", "page=" + "9" * 6000])
def test_a_page_past_the_hundred_thousandth_entry_is_too_deep(query: str) -> None:
    with pytest.raises(PageTooDeep):
        page_request(QueryDict(query))


def test_the_deepest_page_is_allowed() -> None:
    assert page_request(QueryDict("page=999&size=100")).offset == 99_900


@pytest.mark.parametrize(
    ("items", "total", "page", "expected"),
    [
        ([1, 2], 5, 0, {"totalPages": 3, "numberOfElements": 2, "first": True, "last": False, "empty": False}),
        ([5], 5, 2, {"totalPages": 3, "numberOfElements": 1, "first": False, "last": True, "empty": False}),
        ([], 5, 9, {"totalPages": 3, "numberOfElements": 0, "first": False, "last": True, "empty": True}),
        ([], 0, 0, {"totalPages": 0, "numberOfElements": 0, "first": True, "last": True, "empty": True}),
        ([3, 4], 4, 1, {"totalPages": 2, "numberOfElements": 2, "first": False, "last": True, "empty": False}),
    ],
)
def test_a_page_has_the_shape_of_spring_datas(items: list[int], total: int, page: int, expected: dict[str, object]) -> None:
    answer = page_of(items, total, PageRequest(page, 2))
    assert answer == {"content": items, "number": page, "size": 2, "totalElements": total, **expected}


def test_several_values_come_repeated_or_with_commas() -> None:
    assert several(QueryDict("s=A&s=B,C&s=A"), "s", ("A", "B", "C")) == ("A", "B", "C")
    assert several(QueryDict(""), "s", ("A",)) == ()
    for query in ("s=", "s=A,", "s=a", "s=D"):
        with pytest.raises(InvalidQuery):
            several(QueryDict(query), "s", ("A", "B"))


def test_single_values_and_flags_are_given_once() -> None:
    assert single(QueryDict("a=x"), "a") == "x"
    assert flag(QueryDict("f=true"), "f") and not flag(QueryDict(""), "f")
    for query in ("f=1", "f=TRUE", "f=true&f=true", "f="):
        with pytest.raises(InvalidQuery):
            flag(QueryDict(query), "f")
