"""EPUB files as novels: of many makers, damaged and hostile."""

import random
import struct
import tracemalloc
import zipfile
from io import BytesIO

import pytest

from ainoval.novels.errors import UnreadableNovel
from ainoval.novels.importing import ParsedNovel, parse_novel
from tests.support.epubs import epub, nav, ncx, package, page, point

NAV_ITEM = '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
NCX_ITEM = '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'


def parsed(data: bytes, title: str | None = None) -> ParsedNovel:
    return parse_novel(data, "book.epub", title)


def shape(novel: ParsedNovel) -> list[tuple[str, list[tuple[str, list[tuple[str, str]]]]]]:
    return [(act.title, [(c.title, [(s.title, s.content) for s in c.scenes]) for c in act.chapters]) for act in novel.acts]


def chapters(novel: ParsedNovel) -> list[str]:
    return [chapter.title for act in novel.acts for chapter in act.chapters]


def refused(data: bytes) -> str:
    with pytest.raises(UnreadableNovel) as caught:
        parsed(data)
    assert caught.value.message
    return caught.value.code


def test_the_navigation_document_names_the_chapters() -> None:
    book = epub(
        {
            "nav.xhtml": nav('<li><a href="a.xhtml">Chapter 1: Salt</a></li><li><a href="b%20c.xhtml"><span>Chapter 2</span>: Road</a></li>'),
            "a.xhtml": page("<h1>Chapter 1</h1><h2>Salt</h2><p>He came.</p><hr/><p>She left.</p>"),
            "b c.xhtml": page("<section><h1>Chapter 2: Road</h1><p>It rained.</p><p>* * *</p><p>It stopped.</p></section>"),
        },
        opf=package(["a.xhtml", "b%20c.xhtml"], extra=NAV_ITEM),
    )
    novel = parsed(book)
    assert novel.title == "The Salt Road"
    assert shape(novel) == [("", [("Chapter 1: Salt", [("", "He came."), ("", "She left.")]), ("Chapter 2: Road", [("", "It rained."), ("", "It stopped.")])])]
    assert parsed(book, "Mine").title == "Mine"


def test_the_contents_of_epub_2_name_acts_and_chapters_anywhere_in_a_document() -> None:
    book = epub(
        {
            "one.xhtml": page('<h1 id="p1">Part One</h1><h2 id="c1">Salt</h2><p>A.</p><p>B.</p><a id="c2"></a><h2>Road</h2><p>C.</p>'),
            "two.xhtml": page('<h1>Part Two</h1><div><h2><a id="c3"/>Home</h2><p>D.</p></div>'),
        },
        others={
            "toc.ncx": ncx(
                point("Part One", "one.xhtml#p1", point("Salt", "one.xhtml#c1") + point("Road", "one.xhtml#c2"))
                + point("Part Two", "two.xhtml", point("Home", "two.xhtml#c3"))
            )
        },
        extra=NCX_ITEM,
    )
    assert shape(parsed(book)) == [
        ("Part One", [("Salt", [("", "A.\n\nB.")]), ("Road", [("", "C.")])]),
        ("Part Two", [("Home", [("", "D.")])]),
    ]


def test_sections_of_chapters_in_the_contents_are_scenes() -> None:
    book = epub(
        {"one.xhtml": page('<h1>第一章 城</h1><h2 id="a">门</h2><p>甲。</p><h2 id="b">桥</h2><p>乙。</p>'), "two.xhtml": page("<h1>第二章 河</h1><p>丙。</p>")},
        others={"toc.ncx": ncx(point("第一章 城", "one.xhtml", point("门", "one.xhtml#a") + point("桥", "one.xhtml#b")) + point("第二章 河", "two.xhtml"))},
        extra=NCX_ITEM,
    )
    assert shape(parsed(book)) == [("", [("第一章 城", [("门", "甲。"), ("桥", "乙。")]), ("第二章 河", [("", "丙。")])])]


def test_acts_that_are_only_names_in_the_contents_begin_with_their_first_chapter() -> None:
    book = epub(
        {
            "nav.xhtml": nav(
                '<li><span>Part One</span><ol><li><a href="a.xhtml">Salt</a></li><li><a href="b.xhtml">Road</a></li></ol></li>'
                '<li><span>Part Two</span><ol><li><a href="c.xhtml">Home</a></li></ol></li>'
            ),
            **{f"{name}.xhtml": page(f"<p>{name.upper()}.</p>") for name in "abc"},
        },
        opf=package(["nav.xhtml", "a.xhtml", "b.xhtml", "c.xhtml"]).replace('id="d0" href="nav.xhtml"', 'id="d0" href="nav.xhtml" properties="nav"'),
    )
    assert shape(parsed(book)) == [("Part One", [("Salt", [("", "A.")]), ("Road", [("", "B.")])]), ("Part Two", [("Home", [("", "C.")])])]


def test_an_entry_over_all_others_is_the_book() -> None:
    book = epub(
        {"a.xhtml": page("<p>A.</p>"), "b.xhtml": page("<p>B.</p>")},
        others={"toc.ncx": ncx(point("The Salt Road", "a.xhtml", point("One", "a.xhtml") + point("Two", "b.xhtml")))},
        extra=NCX_ITEM,
    )
    assert shape(parsed(book)) == [("", [("One", [("", "A.")]), ("Two", [("", "B.")])])]


def test_documents_that_the_contents_do_not_name_go_on_with_the_chapter_before() -> None:
    book = epub(
        {"title.xhtml": page("<p>A. Writer</p>"), "a.xhtml": page("<p>A.</p>"), "a2.xhtml": page("<p>B.</p>"), "b.xhtml": page("<p>C.</p>")},
        others={"toc.ncx": ncx(point("One", "a.xhtml#gone") + point("Two", "b.xhtml"))},
        extra=NCX_ITEM,
    )
    assert shape(parsed(book)) == [("", [("Front matter", [("", "A. Writer")]), ("One", [("", "A.\n\nB.")]), ("Two", [("", "C.")])])]


def test_without_contents_the_headings_are_the_chapters() -> None:
    book = epub(
        {
            "cover.xhtml": page('<img src="missing.jpg" alt="cover"/>'),
            "title.xhtml": page("<h1>The Salt Road</h1><h2>A. Writer</h2>"),
            "part.xhtml": page("<h1>PART ONE</h1>"),
            "a.xhtml": page("<h1>Chapter 1</h1><h2>Salt</h2><p>A.</p><h3>later</h3><p>B.</p>"),
            "b.xhtml": page("<h2>Chapter 2</h2><p>C.</p>"),
        }
    )
    assert shape(parsed(book)) == [
        ("", [("Front matter", [("", "The Salt Road\n\nA. Writer")])]),
        ("PART ONE", [("Chapter 1: Salt", [("", "A.\n\nlater\n\nB.")]), ("Chapter 2", [("", "C.")])]),
    ]


def test_pages_of_links_and_empty_pages_are_no_chapters() -> None:
    book = epub(
        {
            "cover.xhtml": page('<svg xmlns="http://www.w3.org/2000/svg"><text>Cover</text></svg>'),
            "toc.xhtml": page('<h1>Contents</h1><p><a href="a.xhtml">Chapter the First, in which a Ferry is missed</a></p><p><a href="b.xhtml">Two</a></p>'),
            "a.xhtml": page("<p>A.</p>"),
            "b.xhtml": page("<p>B.</p>"),
        },
        others={"toc.ncx": ncx(point("Cover", "cover.xhtml") + point("Contents", "toc.xhtml") + point("One", "a.xhtml") + point("Two", "b.xhtml"))},
        extra=NCX_ITEM,
    )
    assert chapters(parsed(book)) == ["One", "Two"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<p>caf&eacute;&nbsp;au lait &mdash; &#x5496;&amp;</p>", "café au lait — 咖&"),
        ("<p>one<br/>two<br></br>three</p>", "one\ntwo\nthree"),
        ("<p>a <b>bold</b> <i>move</i>,<span> she</span> said</p>", "a bold move, she said"),
        ("<p>a<!-- not me -->b<?x y?>c</p>", "abc"),
        ("<div>loose <p>inner</p> tail</div>", "loose\n\ninner\n\ntail"),
        ("<p>one</p><script>x()</script><style>p{}</style><p>two</p>", "one\n\ntwo"),
        ("<p>unclosed<p>paragraphs & ampersands", "unclosed\n\nparagraphs & ampersands"),
        ("<title/><p>after a title</p>", "after a title"),
        ("<p>&unknown; stays</p>", "&unknown; stays"),
        ("<p>bell\x07 and &#0; and &#xD800;.</p>", None),
        ("<p>第一段</p>\n\n<p>　　第二段</p>", "第一段\n\n第二段"),
        ("<div>" * 2000 + "deep" + "</div>" * 2000, "deep"),
    ],
)
def test_the_text_of_a_document_is_what_a_reader_sees(body: str, text: str | None) -> None:
    content = parsed(epub({"a.xhtml": page(body)})).acts[0].chapters[0].scenes[0].content
    if text is None:
        assert content.startswith("bell")
        assert content.encode().isascii() or "\ufffd" in content
        assert "\x00" not in content
    else:
        assert content == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_documents_in_declared_encodings_are_read(encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    document = page("<p>他来了。</p>").replace('encoding="utf-8"', f'encoding="{declared}"')
    assert shape(parsed(epub({"a.xhtml": document.encode(encoding)})))[0][1][0][1] == [("", "他来了。")]


def test_a_missing_document_or_image_does_not_cost_the_rest() -> None:
    opf = package(["gone.xhtml", "a.xhtml"], extra='<item id="i" href="gone.jpg" media-type="image/jpeg"/>')
    assert parsed(epub({"a.xhtml": page("<p>A.</p>")}, opf=opf)).scene_count == 1


def test_an_archive_without_container_is_read_by_its_package() -> None:
    assert parsed(epub({"a.xhtml": page("<p>A.</p>")}, others={"/META-INF/container.xml": "<broken"})).scene_count == 1


def test_entities_are_not_expanded_and_files_not_fetched() -> None:
    definitions = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
    document = (
        f'<?xml version="1.0"?><!DOCTYPE html [<!ENTITY l0 "lol">{definitions}<!ENTITY f SYSTEM "file:///etc/passwd">]>'
        '<html xmlns="http://www.w3.org/1999/xhtml"><body><p>A &l9; &f; B.</p></body></html>'
    )
    content = parsed(epub({"a.xhtml": document})).acts[0].chapters[0].scenes[0].content
    assert content == "A &l9; &f; B."
    opf = package(["a.xhtml"]).replace("<package", f'<!DOCTYPE package [<!ENTITY l0 "lol">{definitions}]><package').replace("The Salt Road", "&l9;")
    assert refused(epub({"a.xhtml": page("<p>A.</p>")}, opf=opf)) == "broken_epub"


def test_a_document_that_unpacks_to_hundreds_of_megabytes_is_refused_before_it_does() -> None:
    bomb = epub({"a.xhtml": b"<p>" + b" " * 200_000_000})
    assert len(bomb) < 1_000_000
    tracemalloc.start()
    try:
        assert refused(bomb) == "epub_too_large"
        assert tracemalloc.get_traced_memory()[1] < 64 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_many_documents_that_are_too_much_together_are_refused() -> None:
    assert refused(epub({f"{n}.xhtml": b" " * 8_000_000 for n in range(9)})) == "epub_too_large"


def test_a_document_of_nothing_but_tags_is_refused() -> None:
    assert refused(epub({"a.xhtml": "<p>" + "<b/>" * 1_600_000})) == "epub_too_large"


def test_an_archive_with_too_many_files_is_refused() -> None:
    assert refused(b"PK\x03\x04" + b"PK\x01\x02" * 20_001) == "epub_too_large"


def test_a_document_listed_a_thousand_times_is_read_once() -> None:
    opf = package(["a.xhtml"]).replace('<itemref idref="d0"/>', '<itemref idref="d0"/>' * 1000)
    assert parsed(epub({"a.xhtml": page("<p>A.</p>")}, opf=opf)).scene_count == 1


def test_protected_books_are_refused_with_their_reason() -> None:
    encryption = '<encryption><EncryptedData><CipherData><CipherReference URI="OEBPS/a.xhtml"/></CipherData></EncryptedData></encryption>'
    assert refused(epub({"a.xhtml": b"\x8a\x01"}, others={"/META-INF/encryption.xml": encryption})) == "encrypted_epub"
    fonts_only = encryption.replace("a.xhtml", "font.otf")
    assert parsed(epub({"a.xhtml": page("<p>A.</p>")}, others={"/META-INF/encryption.xml": fonts_only})).scene_count == 1
    marked = bytearray(epub({"a.xhtml": page("<p>A.</p>")}))
    for at in _directory_entries(bytes(marked)):
        marked[at + 8] |= 1
    assert refused(bytes(marked)) == "encrypted_epub"


@pytest.mark.parametrize(
    "data",
    [
        b"not a zip",
        b"PK\x03\x04 broken",
        epub({}),
        epub({"a.xhtml": page("<p>A.</p>")}, opf="not xml at all"),
        epub({"a.xhtml": page("<p>A.</p>")}, opf=""),
        epub({"a.xhtml": page("<p>A.</p>")}, opf="<package/>"),
        epub({"a.xhtml": b'<?xml version="1.0" encoding="no-such"?><p>\xff\xfe</p>'}),
        epub({"a.xhtml": page("<p>A.</p>")})[:-200],
        epub({"a.xhtml": page("<div>" * 3000 + "too deep" + "</div>" * 3000)}),
        epub({"a.xhtml": "<p>" + "<b>" * 3000 + "too deep"}),
    ],
)
def test_a_broken_book_is_refused_with_a_code(data: bytes) -> None:
    assert refused(data) == "broken_epub"


def test_a_book_that_is_packed_in_another_way_than_the_standard_knows_is_refused() -> None:
    file = BytesIO()
    name = "META-INF/container.xml"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(name, "<container/>")
    damaged = bytearray(file.getvalue())
    damaged[30 + len(name) + 4] = 0xFF  # the first of the compression's own parameters, behind the entry's header
    assert refused(bytes(damaged)) == "broken_epub"


def test_a_file_that_lies_beyond_all_numbers_is_refused() -> None:
    file = BytesIO(epub({"a.xhtml": page("<p>A.</p>")}))
    with zipfile.ZipFile(file, "a") as archive:
        archive.getinfo("OEBPS/a.xhtml").header_offset = 2**63
        archive.comment = b"written anew"
    assert refused(file.getvalue()) == "broken_epub"


def test_a_book_of_pictures_has_no_text() -> None:
    assert refused(epub({"a.xhtml": page('<img src="a.png"/>')})) == "empty_novel"


def test_a_zip_of_something_else_is_no_book() -> None:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    assert refused(file.getvalue()) == "broken_epub"


def test_damage_anywhere_is_refused_or_read_but_never_an_unexpected_error() -> None:
    whole = epub(
        {"a.xhtml": page("<h1>Chapter 1</h1><p>He came.</p>"), "b.xhtml": page("<h1>Chapter 2</h1><p>She left.</p>")},
        others={"toc.ncx": ncx(point("One", "a.xhtml") + point("Two", "b.xhtml"))},
        extra=NCX_ITEM,
    )
    chance = random.Random(7)
    outcomes = set()
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            outcomes.add(parsed(bytes(damaged)).scene_count > 0)
        except UnreadableNovel as error:
            outcomes.add(error.code)
    assert {True, "broken_epub"} <= outcomes


def _directory_entries(data: bytes) -> list[int]:
    found, at = [], data.find(b"PK\x01\x02")
    while at >= 0:
        name, extra, comment = struct.unpack_from("<HHH", data, at + 28)
        found.append(at)
        at = data.find(b"PK\x01\x02", at + 46 + name + extra + comment)
    return found
