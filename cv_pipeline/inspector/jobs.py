"""Work that takes longer than a page may: done in the background, once, and asked after.

A page asks for it, waits a moment, and says how far it is when that was not enough. Nothing here is
kept beyond the process; what is worth keeping, the work itself writes to disk.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, Literal, TypeVar
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from cv_pipeline.actor import current_actor
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.inspector.problems import RequestError
from cv_pipeline.inspector.workspace import Workspace

KEPT = 48
"""Finished and failed pieces of work that are remembered."""
WAITING = 24
"""Most pieces of work that may be unfinished at a time."""
WAITING_OF_ONE = 6
"""Most of those that one person may have asked for, so that there is room for others."""
RETRY_SECONDS = 20.0
"""How long a failure is told before the work is tried again."""

T = TypeVar("T")
Progress = Callable[[float], None]
"""Told how much of the work is done, 0 to 1."""


class Busy(RequestError):
    """Too much is being worked on already."""

    status = 503


class Job(Generic[T]):
    """A piece of work.

    Attributes:
        state: ``running``, ``done`` or ``failed``.
        share: how much is done, 0 to 1.
        started: when, by the clock of ``time.monotonic``.
        result: what came of it; None before.
        error: why it failed, and what to do; None when it did not.
        actor: who asked for it first.
    """

    def __init__(self) -> None:
        self.actor = current_actor()
        self.state: Literal["running", "done", "failed"] = "running"
        self.share = 0.0
        self.started = time.monotonic()
        self.result: T | None = None
        self.error: CVPipelineError | None = None
        self._finished = threading.Event()

    @property
    def seconds(self) -> float:
        """How long ago it was asked for."""
        return time.monotonic() - self.started

    def run(self, work: Callable[[Progress], T]) -> None:
        """Do it; whatever goes wrong is kept as its error."""
        try:
            self.result = work(self._tell)
            self.state, self.share = "done", 1.0
        except CVPipelineError as error:
            self.error, self.state = error, "failed"
        except Exception as error:
            self.error = CVPipelineError(
                f"This is a fault of the inspector: {type(error).__name__}.",
                do="Its log says more; please report it.",
            )
            self.state = "failed"
            raise
        finally:
            self._finished.set()

    def wait(self, seconds: float) -> None:
        """Wait for its end, but no longer than this."""
        self._finished.wait(seconds)

    def _tell(self, share: float) -> None:
        self.share = min(max(share, 0.0), 1.0)


class JobState(BaseModel):
    """How far a piece of work is, for a page that asks again."""

    state: Literal["running", "done", "failed"]
    share: float
    seconds: float
    error: str = ""
    do: str = ""

    @classmethod
    def of(cls, job: Job[Any]) -> JobState:
        """The state of a job now."""
        error = job.error
        return cls(
            state=job.state,
            share=job.share,
            seconds=round(job.seconds, 1),
            error=error.what if error else "",
            do=error.do if error else "",
        )


class Jobs:
    """Work in the background, a few pieces at a time.

    Args:
        at_once: pieces that are worked on at a time.
        of: what they are, in words.
    """

    def __init__(self, *, at_once: int = 1, of: str = "comparisons") -> None:
        self._of = of
        self._lock = threading.Lock()
        self._free = threading.Semaphore(at_once)
        self._jobs: OrderedDict[Hashable, Job[Any]] = OrderedDict()

    def ask(self, key: Hashable, work: Callable[[Progress], T], *, wait: float = 0.5) -> Job[T]:
        """The work of a key; it is begun when nobody has asked for it yet.

        Args:
            key: names the work and all that it depends on.
            work: does it; told how to report progress.
            wait: seconds to wait for its end.

        Raises:
            Busy: it is not begun, for too much else is not done yet.
        """
        with self._lock:
            job = self._jobs.get(key)
            if job is not None and job.state == "failed" and job.seconds > RETRY_SECONDS:
                job = None
            if job is None:
                made: Job[T] = Job()
                running = [j.actor for j in self._jobs.values() if j.state == "running"]
                own = running.count(made.actor)
                if own >= WAITING_OF_ONE or len(running) >= WAITING:
                    whose = f" of yours, {own}" if own >= WAITING_OF_ONE else ""
                    raise Busy(
                        f"{len(running)} {self._of} are being worked out already{whose}.",
                        do="Try again in a minute.",
                    )
                job = self._jobs[key] = made
                threading.Thread(
                    target=self._do, args=(job, work), name="inspector-job", daemon=True
                ).start()
            self._jobs.move_to_end(key)
            finished = [k for k, j in self._jobs.items() if j.state != "running"]
            for old in finished[: max(len(self._jobs) - KEPT, 0)]:
                del self._jobs[old]
        job.wait(wait)
        return job

    def _do(self, job: Job[T], work: Callable[[Progress], T]) -> None:
        with self._free:
            job.run(work)


_JOBS: WeakKeyDictionary[Workspace, Jobs] = WeakKeyDictionary()
_LOCK = threading.Lock()


def jobs_of(workspace: Workspace) -> Jobs:
    """The work in the background of a workspace."""
    with _LOCK:
        return _JOBS.setdefault(workspace, Jobs())
