"""A scripted AI server for this folder's tests, fresh for each one, and services that talk to it."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from ainoval.ai.profiles import Profiles
from ainoval.ai.service import AIService
from tests.support.ai_profiles import profile_for
from tests.support.ai_server import AIServer


@pytest.fixture(scope="session")
def running_ai() -> Iterator[AIServer]:
    with AIServer() as server:
        yield server


@pytest.fixture
def ai(running_ai: AIServer) -> Iterator[AIServer]:
    running_ai.reset()
    yield running_ai
    running_ai.reset()


@pytest.fixture
async def service_for(ai: AIServer) -> AsyncIterator[Callable[..., AIService]]:
    """A factory: an AIService whose default profile asks the scripted server, with these options of the profile."""
    services: list[AIService] = []

    def build(**options: Any) -> AIService:
        service = AIService(Profiles({"default": profile_for(ai.url, **options)}))
        services.append(service)
        return service

    yield build
    for service in services:
        await service.aclose()


@pytest.fixture
def service(service_for: Callable[..., AIService]) -> AIService:
    return service_for()
