"""Ctrl-C, SIGTERM and a closed terminal: the first interrupts what runs, the later ones only make the clean-up hurry."""

import signal
from types import FrameType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))


class StopSignals:
    """Within the block, the first signal raises KeyboardInterrupt in the main thread; what cleans up after it is never interrupted."""

    def __init__(self) -> None:
        self.count = 0
        self._raises = True
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for signum in SIGNALS:
            self._before[signum] = signal.signal(signum, self._received)
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)  # type: ignore[arg-type]  # what signal.signal returned

    @property
    def hurry(self) -> bool:
        """Whether somebody has asked twice."""
        return self.count > 1

    def hold(self) -> None:
        """From here on, signals are counted and raise nothing."""
        self._raises = False

    def _received(self, signum: int, frame: FrameType | None) -> None:
        self.count += 1
        if self._raises:
            self._raises = False
            raise KeyboardInterrupt
