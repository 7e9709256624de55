"""EPUB files made by hand, well and badly."""

import io
import zipfile
from collections.abc import Mapping, Sequence

CONTAINER = (
    '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)


def page(body: str, head: str = "<title>x</title>") -> str:
    """Return an XHTML document."""
    return f'<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml"><head>{head}</head><body>{body}</body></html>'


def nav(items: str) -> str:
    """Return a navigation document of EPUB 3."""
    body = f'<nav xmlns:epub="http://www.idpf.org/2007/ops" epub:type="toc"><h1>Contents</h1><ol>{items}</ol></nav>'
    return page(body)


def ncx(points: str) -> str:
    """Return the contents of EPUB 2."""
    return f'<?xml version="1.0"?><ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><docTitle><text>x</text></docTitle><navMap>{points}</navMap></ncx>'


def point(title: str, src: str, inner: str = "") -> str:
    """Return an entry of the contents of EPUB 2."""
    return f'<navPoint><navLabel><text>{title}</text></navLabel><content src="{src}"/>{inner}</navPoint>'


def package(documents: Sequence[str], *, title: str = "The Salt Road", extra: str = "") -> str:
    """Return a package document with these documents in its spine; `extra` goes into the manifest."""
    items = "".join(f'<item id="d{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(documents))
    refs = "".join(f'<itemref idref="d{n}"/>' for n in range(len(documents)))
    return (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i">'
        f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="i">1</dc:identifier><dc:title>{title}</dc:title></metadata>'
        f"<manifest>{items}{extra}</manifest><spine>{refs}</spine></package>"
    )


def epub(documents: Mapping[str, str | bytes], *, opf: str | None = None, others: Mapping[str, str | bytes] | None = None, extra: str = "") -> bytes:
    """Return an archive with these documents in its spine and `others` beside them (names in OEBPS, or absolute with a slash)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        if "/META-INF/container.xml" not in (others or {}):
            archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("OEBPS/content.opf", opf if opf is not None else package(list(documents), extra=extra))
        for name, content in {**documents, **(others or {})}.items():
            archive.writestr(name[1:] if name.startswith("/") else f"OEBPS/{name}", content)
    return file.getvalue()
