"""Template tags of the console: parts of a page that are refreshed while it is looked at."""

import re
import zlib
from typing import Final

from django import template
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

# What is different each time it is made although nothing has changed: the text of a clock, and the token against forged requests.
_RESTLESS: Final = re.compile(r"(?<=>)[^<]*(?=</time>)|<input type=\"hidden\" name=\"csrfmiddlewaretoken\"[^>]*>")


@register.simple_block_tag(takes_context=True, end_name="endlive")
def live(context: Context, content: str, identity: str, element: str = "div", classes: str = "") -> SafeString:
    """Wrap a part of the page that a refresh brings up to date, and only if it has changed: `data-revision` tells the script.

    In the answer to a refresh (`refreshing` in the context) the part asks to be put in the place of the one with its id.
    """
    content = content.strip()
    revision = f"{zlib.crc32(_RESTLESS.sub('', content).encode('utf-8', 'replace')):08x}"
    swap = mark_safe(' hx-swap-oob="true"') if context.get("refreshing") else ""
    inside = mark_safe(content)  # noqa: S308 - what a template has made, escaped there
    return format_html('<{0} id="{1}" class="{2}" data-revision="{3}"{4}>{5}</{0}>', element, identity, classes, revision, swap, inside)
