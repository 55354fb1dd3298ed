"""Asks servers politely: pauses between requests, bounded numbers at once, retries of what passes.

Belongs here: one exchange with a server, whatever is asked, and what to do about each way it can fail.
Does not belong here: what a server answers (the modality's source) and files that are gone on with (`download`).
"""

import contextlib
import random
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

import httpx

from bgb_assets.runtime.errors import BadInput, SourceError

Result = TypeVar("Result")

PASSING_STATUSES: Final = frozenset({429, 500, 502, 503, 504})
GONE_STATUSES: Final = frozenset({404, 410})

_BROKEN = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)


def _chance() -> float:
    return random.random()


@dataclass(frozen=True)
class Clock:
    """Time and chance, so that tests need not wait: by default the machine's.

    Attributes:
        wall_s: Seconds since 1970, for dates that a server names.
        steady_s: Seconds that never go back.
        sleep: Waits so many seconds.
        chance: A number in [0, 1).
    """

    wall_s: Callable[[], float] = time.time
    steady_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = _chance


@dataclass(frozen=True)
class Manners:
    """How a server is treated.

    Attributes:
        at_once: Most exchanges at a time, over all threads.
        pause_s: Least seconds from the end of one exchange to the start of the next; with `at_once` 1, over all
            threads.
        retries: How often a request is sent again after an answer or a failure that passes.
        longest_wait_s: Bound on the doubling waits between retries.
        longest_asked_wait_s: A server that asks for more patience (`Retry-After`) is left for another day.
        connect_s: Time-out of a connection.
        read_s: Time-out of each wait for bytes.
        max_redirects: A chain of more is refused.
    """

    at_once: int = 8
    pause_s: float = 0.0
    retries: int = 6
    longest_wait_s: float = 60.0
    longest_asked_wait_s: float = 900.0
    connect_s: float = 10.0
    read_s: float = 30.0
    max_redirects: int = 10


class Passing(Exception):
    """What went wrong with one exchange and may go well at the next; raised by whoever reads the answer, too."""

    def __init__(self, reason: str, asked_wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.asked_wait_s = asked_wait_s


class _Pace:
    """Keeps requests apart; asked before each, those after a redirect too, and told of each answer."""

    def __init__(self, pause_s: float, clock: Clock) -> None:
        self._pause_s = pause_s
        self._clock = clock
        self._last_s: float | None = None

    def wait(self, request: httpx.Request) -> None:
        if self._last_s is not None:
            while (wait_s := self._last_s + self._pause_s - self._clock.steady_s()) > 0:
                self._clock.sleep(wait_s)

    def note(self, response: httpx.Response | None = None) -> None:
        self._last_s = self._clock.steady_s()


@dataclass
class _Live:
    """What a process has of a client: connections, turns and counts."""

    connections: httpx.Client
    turns: threading.Semaphore
    pace: _Pace
    lock: threading.Lock = field(default_factory=threading.Lock)
    received_bytes: int = 0


class WebClient:
    """Asks servers; shared by threads. Picklable: another process opens connections of its own."""

    def __init__(self, user_agent: str, manners: Manners | None = None, clock: Clock | None = None) -> None:
        self.user_agent = user_agent
        self.manners = manners or Manners()
        self.clock = clock or Clock()
        self._opening = threading.Lock()
        self._live: _Live | None = None

    def __reduce__(self) -> tuple[type["WebClient"], tuple[str, Manners, Clock]]:
        return type(self), (self.user_agent, self.manners, self.clock)

    @property
    def received_bytes(self) -> int:
        """Bytes of bodies that came through `chunks` so far."""
        return self._live.received_bytes if self._live else 0

    def ask(
        self,
        url: str,
        read: Callable[[httpx.Response], Result],
        *,
        params: Mapping[str, str] | None = None,
        headers: Callable[[], Mapping[str, str]] = dict,
    ) -> Result:
        """Send a GET request until an answer has been read, and return what `read` makes of it.

        Args:
            url: The address.
            read: Reads the answer, whose body is not loaded yet; may raise `Passing` to have it asked for again.
            params: The query; None leaves the one in the address.
            headers: Called before each try, as what is asked for may depend on what came before.

        Raises:
            BadInput: The address is gone (404, 410), is none, or redirects without end.
            SourceError: Refused otherwise, or failed at every try.
        """
        for retry in range(1, self.manners.retries + 2):
            try:
                return self._exchange(url, read, params, dict(headers()))
            except Passing as trouble:
                if retry > self.manners.retries:
                    raise SourceError(f"{url}: {trouble} at {retry} tries; ask again later") from trouble
                self._wait(url, retry, trouble)
        raise AssertionError("unreachable: the last try returns or raises")

    def chunks(self, response: httpx.Response) -> Iterator[bytes]:
        """Yield the body as it was sent, compressed or not, and count it."""
        live = self._opened()
        for chunk in response.iter_raw():  # a chunk size would gather bytes that a broken connection then loses
            with live.lock:
                live.received_bytes += len(chunk)
            yield chunk

    def _exchange(
        self,
        url: str,
        read: Callable[[httpx.Response], Result],
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
    ) -> Result:
        live = self._opened()
        with _failures_named(url), live.turns:
            try:
                with live.connections.stream("GET", url, params=params, headers=headers) as response:
                    self._check_status(response)
                    return read(response)
            finally:
                live.pace.note()

    def _check_status(self, response: httpx.Response) -> None:
        status = f"status {response.status_code}"
        if response.status_code in PASSING_STATUSES:
            raise Passing(status, retry_after_s(response.headers.get("Retry-After"), self.clock.wall_s()))
        if response.status_code in GONE_STATUSES:
            raise BadInput(f"{response.url}: {status}", "it is gone from the server; leave it out")
        if not response.is_success and response.status_code != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise SourceError(f"{response.url}: {status}; see whether the server may be asked from here")

    def _wait(self, url: str, retry: int, trouble: Passing) -> None:
        """Sleep before a retry: min(60, 2^n) s times a factor in [0.5, 1], or what the server asks for if longer."""
        if trouble.asked_wait_s > self.manners.longest_asked_wait_s:
            raise SourceError(f"{url}: {trouble}, to be asked again in {trouble.asked_wait_s:.0f} s") from trouble
        own_wait_s = min(self.manners.longest_wait_s, 2.0**retry) * (0.5 + 0.5 * self.clock.chance())
        self.clock.sleep(max(own_wait_s, trouble.asked_wait_s))

    def _opened(self) -> _Live:
        with self._opening:
            if self._live is None:
                pace = _Pace(self.manners.pause_s, self.clock)
                turns = threading.Semaphore(self.manners.at_once)
                self._live = _Live(_connections(self.user_agent, self.manners, pace), turns, pace)
                weakref.finalize(self, self._live.connections.close)
            return self._live


def _connections(user_agent: str, manners: Manners, pace: _Pace) -> httpx.Client:
    return httpx.Client(
        headers={"User-Agent": user_agent, "Accept-Encoding": "identity"},
        timeout=httpx.Timeout(manners.read_s, connect=manners.connect_s, pool=None),
        limits=httpx.Limits(max_connections=manners.at_once, max_keepalive_connections=manners.at_once),
        follow_redirects=True,
        max_redirects=manners.max_redirects,
        event_hooks={"request": [pace.wait], "response": [pace.note]},
    )


def retry_after_s(value: str | None, now_s: float) -> float:
    """Return how long a `Retry-After` header asks to wait: seconds or an HTTP date; 0 for none that can be read."""
    if value is None:
        return 0.0
    if value.strip().isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now_s)


@contextlib.contextmanager
def _failures_named(url: str) -> Iterator[None]:
    """Turn what the HTTP library raises into what passes, what is the address's fault, and the rest."""
    try:
        yield
    except _BROKEN as error:
        raise Passing(f"{type(error).__name__} ({error})") from error
    except httpx.TooManyRedirects as error:
        raise BadInput(f"{url}: redirects without end", "the server's fault; leave it out") from error
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise BadInput(f"{url!r} is no address that can be asked: {error}", "correct it at the source") from error
    except httpx.HTTPError as error:
        raise SourceError(f"{url}: {type(error).__name__} ({error}); see the network's settings") from error
