"""The overview page: what runs, what waits and why, what fails, over an hour, a day or a week."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_htmx.middleware import HtmxDetails

from ainoval import mongo
from ainoval.ai.apps import configured_profiles
from tasks_app.admin.guard import console_page, render, render_part
from tasks_app.admin.overview import cards, graphs, tables
from tasks_app.admin.overview.reading import read_overview
from tasks_app.admin.overview.spans import Spans
from tasks_app.admin.tabs import COUNTING
from tasks_app.admin.words import type_word
from tasks_app.health import failing_types
from tasks_app.periods import DAY, RANGES

OVERVIEW: Final = "admin:tasks_app_backgroundtask_overview"
TYPE_MAX_LENGTH: Final = 200

RANGE_WORDS: Final = {"1h": gettext_lazy("1 hour"), "24h": gettext_lazy("24 hours"), "7d": gettext_lazy("7 days")}


@console_page
def overview_page(request: HttpRequest) -> HttpResponse:
    """Show the system at a glance; or, asked by the page's script, what has changed of it."""
    over = RANGES.get(request.GET.get("range", ""), DAY)
    chosen_type = request.GET.get("type", "").replace("\0", "")[:TYPE_MAX_LENGTH]
    read = mongo.run(read_overview(over, chosen_type or None))
    spans = Spans()
    shown = graphs.Graphs(read.ended.chosen.by_moment, over, read.ended.at, spans)
    numbers = cards.cards(read, spans)
    reasons = tables.reasons(read)
    bad = failing_types(read.ended.hour, read.ended.day)
    profiles = {name: " ".join(filter(None, (profile.provider, profile.model))) for name, profile in configured_profiles().items()}
    context: dict[str, Any] = {
        "title": _("Overview"),
        "overview_url": reverse(OVERVIEW),
        "refresh_url": request.get_full_path(),
        "cards": numbers,
        "counting": reasons is None or any(card.value == COUNTING for card in numbers),
        "workers_alive": read.facts.workers,
        "failing": tables.failing(bad),
        "ranges": [(name, word, name == over.name) for name, word in RANGE_WORDS.items()],
        "range": over.name,
        "range_word": RANGE_WORDS[over.name],
        "chosen_type": chosen_type,
        "chosen_type_word": type_word(chosen_type) if chosen_type else "",
        "charts": shown.charts(),
        "rows": shown.rows(),
        "types": tables.types(read, over, chosen_type, bad, spans),
        "reasons": reasons,
        "workers": tables.workers(read),
        "providers": tables.providers(read, profiles),
        "errors": tables.errors(read, over, chosen_type),
    }
    if HtmxDetails(request):
        return render_part(request, "overview/refresh.html", context)
    return render(request, "overview/overview.html", context)
