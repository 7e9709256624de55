"""An EPUB's archive and its package document: what the book is called, and its documents in reading order."""

import io
import posixpath
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from ainoval.novels.characters import clean
from ainoval.novels.errors import UnreadableNovel
from ainoval.novels.importing.markup import local_name, parse_xml

# Text alone; a long novel has 5 MB of it.
_MOST_BYTES: Final = 64 * 1024 * 1024
# A tree of elements takes thirty times its source, so one document has a limit of its own.
_MOST_BYTES_OF_A_FILE: Final = 8 * 1024 * 1024
# Nor do tags cost what their bytes do: these take about five seconds.
_MOST_TAGS: Final = 1_500_000
_MOST_ENTRIES: Final = 20_000
_ENTRY_SIGNATURE: Final = b"PK\x01\x02"
_CONTAINER: Final = "META-INF/container.xml"
_ENCRYPTION: Final = "META-INF/encryption.xml"
# What the standard knows. Python can unpack two more, one of which takes as much memory as the file asks for.
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN_ENTRY: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OverflowError, OSError)


class Archive:
    """A zip file that unpacks at most so many bytes in all, by count and not by what its directory claims."""

    def __init__(self, data: bytes) -> None:
        # Counted before zipfile builds an object for each: 20 MiB of directory would be gigabytes of them.
        if data.count(_ENTRY_SIGNATURE) > _MOST_ENTRIES:
            raise UnreadableNovel("The EPUB has too many files in it.", code="epub_too_large")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except _BROKEN_ENTRY as exc:
            raise UnreadableNovel("The file is not an EPUB (no readable zip archive).", code="broken_epub") from exc
        self._left = _MOST_BYTES
        self._tags_left = _MOST_TAGS
        self._names = set(self._zip.namelist())

    def __contains__(self, path: str) -> bool:
        return path in self._names

    def names(self) -> list[str]:
        """Return the paths of all files, sorted."""
        return sorted(self._names)

    def read(self, path: str) -> bytes:
        """Return a file.

        Raises:
            UnreadableNovel: broken_epub, encrypted_epub, epub_too_large.
        """
        try:
            info = self._zip.getinfo(path)
            if info.flag_bits & 1:
                raise UnreadableNovel("The EPUB is encrypted.", code="encrypted_epub")
            if info.compress_type not in _METHODS:
                raise UnreadableNovel("The EPUB is packed in a way that no EPUB may be.", code="broken_epub")
            with self._zip.open(info) as file:
                data = file.read(_MOST_BYTES_OF_A_FILE + 1)
        except KeyError as exc:
            raise UnreadableNovel("The EPUB lacks a file that it lists.", code="broken_epub") from exc
        except _BROKEN_ENTRY as exc:
            raise UnreadableNovel("The EPUB is damaged: one of its files cannot be unpacked.", code="broken_epub") from exc
        if len(data) > _MOST_BYTES_OF_A_FILE:
            raise UnreadableNovel(f"The EPUB has a document of more than {_MOST_BYTES_OF_A_FILE >> 20} MiB.", code="epub_too_large")
        self._left -= len(data)
        self._tags_left -= data.count(b"<")
        if self._left < 0 or self._tags_left < 0:
            raise UnreadableNovel("The EPUB has more text and markup than any novel.", code="epub_too_large")
        return data


@dataclass(frozen=True, slots=True)
class Package:
    """What the package document says.

    Args:
        spine: Paths in the archive, each once.
        nav_path: The navigation document (EPUB 3).
        ncx_path: The contents of EPUB 2.
    """

    title: str | None
    spine: tuple[str, ...]
    nav_path: str | None
    ncx_path: str | None


def read_package(archive: Archive) -> Package:
    """Read the package document.

    Raises:
        UnreadableNovel: broken_epub when there is none or it lists no document; encrypted_epub when the documents are protected.
    """
    path = _package_path(archive)
    root = parse_xml(archive.read(path))
    folder = posixpath.dirname(path)
    items: dict[str, str] = {}
    title = nav_path = ncx_path = None
    references: list[str] = []
    for element in root.iter():
        match local_name(element):
            case "title" if title is None and element.text:
                title = " ".join(clean(element.text).split())
            case "item" if element.get("id") and element.get("href"):
                item_path = resolved(folder, element.get("href"))[0]
                items[element.get("id")] = item_path
                if "nav" in (element.get("properties") or "").split():
                    nav_path = item_path
                if element.get("media-type") == "application/x-dtbncx+xml":
                    ncx_path = item_path
            case "itemref":
                references.append(element.get("idref") or "")
    spine = [items[reference] for reference in references if reference in items]
    if not spine:
        raise UnreadableNovel("The EPUB lists no documents.", code="broken_epub")
    if _encrypted_paths(archive).intersection(spine):
        raise UnreadableNovel("The EPUB is protected (DRM); its text cannot be read.", code="encrypted_epub")
    return Package(title, tuple(dict.fromkeys(spine)), nav_path, ncx_path)


def resolved(folder: str, reference: str) -> tuple[str, str]:
    """Return the path in the archive and the fragment that a reference from a document in a folder means."""
    path, _, fragment = reference.partition("#")
    return posixpath.normpath(posixpath.join(folder, unquote(path))).lstrip("/"), unquote(fragment)


def _package_path(archive: Archive) -> str:
    if _CONTAINER in archive:
        for element in parse_xml(archive.read(_CONTAINER)).iter():
            path = element.get("full-path") if local_name(element) == "rootfile" else None
            if path and path in archive:
                return str(path)
    found = next((name for name in archive.names() if name.lower().endswith(".opf")), None)
    if found is None:
        raise UnreadableNovel("The file is not an EPUB (it has no package document).", code="broken_epub")
    return found


def _encrypted_paths(archive: Archive) -> set[str]:
    if _ENCRYPTION not in archive:
        return set()
    elements: list[Any] = list(parse_xml(archive.read(_ENCRYPTION)).iter())
    return {resolved("", element.get("URI") or "")[0] for element in elements if local_name(element) == "CipherReference"}
