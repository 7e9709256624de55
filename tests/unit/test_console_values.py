"""The console's pure parts: ages, qualifiers, the list's state, masking, JSON as trees, parameters in a form."""

from datetime import UTC, datetime, timedelta

import pytest
from django.http import QueryDict
from hypothesis import example, given
from hypothesis import strategies as st

from tasks_app.admin import ages, json_trees, masking, parameter_form, qualifiers, tabs
from tasks_app.admin.counting import Count
from tasks_app.admin.filters import QUALIFIERS, ListState
from tasks_app.executables.batch_generate_summary import BatchGenerateSummary
from tasks_app.executables.generate_summary import GenerateSummaryParameters
from tasks_app.states import TaskStatus

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
HOUR, TICK = timedelta(hours=1), timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "after", "until"),
    [
        ("<2h", NOW - 2 * HOUR, None),
        ("2h", NOW - 2 * HOUR, None),
        (">2h", None, NOW - 2 * HOUR),
        (">90s", None, NOW - timedelta(seconds=90)),
        ("<7d", NOW - timedelta(days=7), None),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC) - TICK, datetime(2026, 11, 21, tzinfo=UTC) - TICK),
        ("2026-11-20..2026-11-22", datetime(2026, 11, 20, tzinfo=UTC) - TICK, datetime(2026, 11, 23, tzinfo=UTC) - TICK),
        (">2026-11-20", datetime(2026, 11, 21, tzinfo=UTC) - TICK, None),
        ("<2026-11-20", None, datetime(2026, 11, 20, tzinfo=UTC) - TICK),
        (">2026-11-20T10:30", datetime(2026, 11, 20, 10, 30, tzinfo=UTC), None),
    ],
)
def test_ages_and_dates_are_spans_of_time(text: str, after: datetime | None, until: datetime | None) -> None:
    span = ages.parse(text, NOW)
    assert span is not None
    assert (span.after, span.until) == (after, until)


@pytest.mark.parametrize(
    "text", ["", "2", "h", "<", "soon", "٣h", "2026-13-01", "2026-02-30", "..", "2026-11-20..", "9999999h", "999999w", "0001-01-01", "<>2h"]
)
def test_what_is_no_span_of_time_is_refused(text: str) -> None:
    assert ages.parse(text, NOW) is None


@given(st.text(max_size=40))
def test_no_text_of_an_age_raises(text: str) -> None:
    ages.parse(text, NOW)


def test_a_search_is_taken_apart_into_qualifiers_and_words() -> None:
    search = qualifiers.parse('user:alice type:batch status:failed error:rate_limited created:>2h 66f0 novel:"a b"')
    assert search.values == {"user": "alice", "type": "batch", "status": "failed", "error": "rate_limited", "created": ">2h", "about": "a b"}
    assert (search.words, search.problems) == (["66f0"], [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour:red", "There is no qualifier “colour:”"),
        ("user:", "“user:” needs a value"),
        ("user:a user:b", "“user:” is given twice"),
        ("user: alice", "needs a value"),
    ],
)
def test_a_search_that_cannot_be_understood_says_why(text: str, said: str) -> None:
    assert said in " ".join(qualifiers.parse(text).problems)


def test_a_search_that_is_too_long_is_refused_and_never_cut() -> None:
    ids = [f"{number:024x}" for number in range(200)]
    search = qualifiers.parse(f"id:{','.join(ids)} status:failed")
    assert search.problems == [] and search.values == {"id": ",".join(ids), "status": "failed"}
    long = qualifiers.parse("user:" + "x" * qualifiers.MAX_LENGTH + " status:failed")
    assert (long.values, long.words) == ({}, []) and "A search can have" in long.problems[0]
    many = qualifiers.parse(" ".join(ids) + " another")
    assert many.words == [] and "At most 200 ids" in many.problems[0]


def test_what_no_database_takes_is_left_out_of_a_search() -> None:
    search = qualifiers.parse("ali\0ce error:\0it_broke")
    assert (search.words, search.values, search.problems) == (["alice"], {"error": "it_broke"}, [])


@given(st.text(max_size=60))
def test_no_search_raises(text: str) -> None:
    search = qualifiers.parse(text)
    ListState.of(search.values).problems  # noqa: B018 - it is asked, whatever it says


VALUES = st.text(min_size=1, max_size=20).map(lambda text: text.replace("\0", "").encode("utf-8", "replace").decode().strip()).filter(bool)


@example(values={"user": ":"}, status="")
@example(values={"user": "a:", "error": "b"}, status="")
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("user", "type", "error", "parent", "about"), VALUES)), st.sampled_from(["", *TaskStatus]))
def test_a_state_survives_its_address_and_its_words(values: dict[str, str], status: str) -> None:
    state = ListState.of(values | {"status": status})
    assert ListState.parse(QueryDict(state.query_string())) == state
    words = qualifiers.parse(state.text())
    assert not words.problems and not words.words
    assert ListState.of(words.values) == state


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"status": "nope"}, "There is no status “nope”"),
        ({"created": "soon"}, "“soon” is no time of creation"),
        ({"children": "perhaps"}, "takes yes or no"),
        ({"id": ",".join(map(str, range(201)))}, "At most 200 ids"),
    ],
)
def test_what_an_address_says_wrongly_is_a_problem(values: dict[str, str], said: str) -> None:
    [problem] = ListState.of(values).problems
    assert said in problem


@pytest.mark.parametrize("place", ["-1-x", "x", "1", "99999999999999999-x", "1-x-y", "1-" + "x" * 65, "٣-x"])
def test_a_place_that_makes_no_sense_is_the_beginning(place: str) -> None:
    assert ListState.parse(QueryDict(f"before={place}")).before is None


def test_every_qualifier_is_documented_in_the_help() -> None:
    from django.template.loader import render_to_string

    text = render_to_string("admin/tasks_app/backgroundtask/help.html")
    assert [name for name in QUALIFIERS if f"<code>{name}:" not in text] == []


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (None, "…"),
        (Count(0), "0"),
        (Count(10_000), "10,000"),
        (Count(10_000, exact=False), "10,000+"),
        (Count(123_456, exact=False, estimated=True), "≈ 123,000"),
        (Count(9_000) + Count(2_000), "11,000"),
    ],
)
def test_counts_are_exact_or_say_that_they_are_not(count: Count | None, shown: str) -> None:
    assert tabs.counted(count) == shown


SECRET = "She opened the letter and it was empty."


@pytest.mark.parametrize("hidden", [{"summary": "short"}, {"anything": SECRET}, {"list": [{"deep": SECRET}]}, {SECRET: 1}, {"title": "长雨"}, {"message": "x"}])
def test_whatever_could_be_text_is_masked(hidden: dict[str, object]) -> None:
    shown = repr(masking.masked(hidden))
    assert "•••" in shown
    assert SECRET not in shown and "short" not in shown and "长雨" not in shown


def test_ids_numbers_and_codes_are_not_masked() -> None:
    plain = {"sceneId": "66f0c2a1e4b0a1b2c3d4e5f6", "n": 4.5, "flag": True, "none": None, "model": "gpt-4o-mini", "ids": ["a", "b"]}
    assert masking.masked(plain) == plain


def test_a_masked_traceback_keeps_frames_and_kinds_alone() -> None:
    text = f'Traceback (most recent call last):\n  File "/srv/x.py", line 3, in run\n    raise ValueError("{SECRET}")\nValueError: {SECRET}\n{SECRET}'
    assert masking.masked_traceback(text).splitlines() == ["Traceback (most recent call last):", '  File "/srv/x.py", line 3, in run', "ValueError: •••"]


def test_a_json_tree_folds_long_texts_and_escapes_everything() -> None:
    html = json_trees.tree({"<b>": ["<script>alert(1)</script>", "x" * 500], "n": None, "empty": {}, "m": float("1.5")}, "result")
    assert "<script>" not in html and "<b>" not in html and "&lt;script&gt;" in html
    assert "500 characters" in html and 'data-key="result-1" open' in html


def test_a_huge_tree_is_bounded() -> None:
    html = json_trees.tree({"list": [{"n": number} for number in range(20_000)]}, "r")
    assert html.count("<details") <= json_trees.MAX_PARTS + 1
    assert "19999" in html


def form(**sent: str) -> QueryDict:
    query = QueryDict(mutable=True)
    query.update({f"p.{name}": value for name, value in sent.items()})
    return query


def test_a_form_has_a_field_for_each_parameter() -> None:
    fields = {field.name: field for field in parameter_form.fields(GenerateSummaryParameters, {"sceneId": "s", "autoApply": True})}
    assert [(name, field.kind.value) for name, field in fields.items()] == [
        ("sceneId", "text"),
        ("aiConfigId", "text"),
        ("instructions", "long"),
        ("overwriteExisting", "yes_no"),
        ("autoApply", "yes_no"),
    ]
    assert fields["sceneId"].required and fields["sceneId"].text == "s" and fields["autoApply"].text == "true"
    assert {field.name: field.kind.value for field in parameter_form.fields(BatchGenerateSummary.Parameters, {})}["sceneIds"] == "lines"


def test_a_form_is_read_into_parameters() -> None:
    typed = parameter_form.read(BatchGenerateSummary.Parameters, form(novelId=" n ", sceneIds="a\r\nb\r\n\r\n", autoApply="true", overwriteExisting="false"))
    assert typed.parameters == {
        "novelId": "n",
        "startChapterId": None,
        "endChapterId": None,
        "sceneIds": ["a", "b"],
        "overwriteExisting": False,
        "autoApply": True,
        "aiConfigId": None,
    }


@pytest.mark.parametrize(
    "text", ["{", "[]", "1", '{"a": 1e400}', '{"a": NaN}', '{"a": 1, "a": 2}', '{"a": "\\ud800"}', '{"a": "\\u0000"}', '{"a": ' + "9" * 30 + "}"]
)
def test_json_that_could_not_be_read_back_is_refused(text: str) -> None:
    sent = QueryDict(mutable=True)
    sent["json"] = text
    typed = parameter_form.read(GenerateSummaryParameters, sent)
    assert typed.parameters is None and typed.errors[0][0] == "body"


def test_errors_stand_beside_their_fields() -> None:
    errors = (("sceneIds.3", "too long"), ("novelId", "required"), ("body", "give either"), ("other", "unknown"))
    fields = {field.name: field.errors for field in parameter_form.fields(BatchGenerateSummary.Parameters, {}, errors)}
    assert fields["sceneIds"] == ("3: too long",) and fields["novelId"] == ("required",)
    assert parameter_form.other_errors(BatchGenerateSummary.Parameters, errors) == ["give either", "other: unknown"]
