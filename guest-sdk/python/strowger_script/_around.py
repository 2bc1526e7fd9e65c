"""What a script can ask about the tenant: people, contacts, time, memory; and its log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import _exchange as exchange
from ._words import NotFound, millis, named, verb


@dataclass(frozen=True)
class User:
    """A person or desk of the tenant. `presence`: "offline", "free", "ringing" or "busy"."""

    name: str
    number: str
    mobile: str | None
    presence: str
    skills: dict[str, int]


def _person(user: Any) -> User | None:
    if user is None:
        return None
    return User(user.name(), user.number(), user.mobile(), named(user.presence()), dict(user.skills()))


class directory:
    """People and devices of the tenant."""

    @staticmethod
    def find(name_or_number: str) -> User | None:
        """A user by name or extension."""
        return _person(exchange.directory.find(name_or_number))

    @staticmethod
    def group(name: str) -> list[User]:
        """Everyone in a group, in the configuration's order; empty when there is no such group."""
        return [_person(user) for user in exchange.directory.group(name)]

    @staticmethod
    def last_spoke_with(number: str, days: int) -> User | None:
        """Who spoke with this number last, within so many days; 0 is today alone, 366 the most."""
        return _person(exchange.directory.last_spoke_with(number, days))

    @staticmethod
    def conversations(number: str, days: int) -> int:
        """Conversations with this number within so many days."""
        return exchange.directory.conversations(number, days)


class Contact:
    """A contact, as it was when looked up."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self.id: str = handle.id()
        self.name: str = handle.name()
        self.company: str | None = handle.company()
        #: The user who looks after them: the owner of the open deal, else of the contact.
        self.owner: str | None = handle.owner()

    def field(self, name: str) -> str | None:
        """Another field by its name in the CRM."""
        return self._handle.field(name)


class crm:
    """Who is calling, and what they are to the company."""

    @staticmethod
    def find(number: str) -> Contact | None:
        """A contact by number, however it is written there."""
        found = verb(exchange.crm.find, number)
        return None if found is None else Contact(found)

    @staticmethod
    def owner_of(number: str) -> str | None:
        """The user who looks after whoever has this number."""
        found = crm.find(number)
        return None if found is None else found.owner

    @staticmethod
    def create_task(number: str, title: str, responsible: str | None = None, due: float | None = None) -> str:
        """Writes a task down, for whoever looks after the contact unless said; its id. `due`: seconds since 1970 UTC."""
        return verb(exchange.crm.create_task, number, title, responsible, due)

    @staticmethod
    def close_task(id: str) -> None:
        """An open task is done."""
        verb(exchange.crm.close_task, id)


class clock:
    """The tenant's clock, and chance."""

    @staticmethod
    def now() -> float:
        """Seconds since 1970-01-01 UTC, with the fraction."""
        return exchange.clock.now()

    @staticmethod
    def local() -> Any:
        """Now in the tenant's time zone: year, month, day, weekday (1 is Monday), hour, minute, second,
        offset_minutes."""
        return exchange.clock.local_time()

    @staticmethod
    def time_in(zone: str) -> Any | None:
        """Now in another time zone, by its IANA name; None when there is no such zone."""
        return exchange.clock.time_in(zone)

    @staticmethod
    def scheme(calendar: str) -> str:
        """The scheme in force by a calendar of the tenant: "open", "lunch", "holiday" ..."""
        scheme = exchange.clock.scheme(calendar)
        if scheme is None:
            raise NotFound(f"calendar {calendar}")
        return scheme

    @staticmethod
    def random(below: int) -> int:
        """From 0 up to and without `below`; 0 when `below` is 0."""
        return exchange.clock.random(below)

    @staticmethod
    def sleep(seconds: float) -> None:
        """Waits."""
        verb(exchange.clock.sleep, millis(seconds))


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


class kv:
    """The tenant's own memory across calls: at most 64 KiB a value and 16 MiB a tenant."""

    @staticmethod
    def get(key: str) -> bytes | None:
        """The value under a key of 1 to 256 bytes."""
        return verb(exchange.kv.get, key)

    @staticmethod
    def get_text(key: str) -> str | None:
        """The same, as text."""
        value = kv.get(key)
        return None if value is None else value.decode(errors="replace")

    @staticmethod
    def set(key: str, value: str | bytes, keep_secs: int | None = None) -> None:
        """Kept for so many seconds, or until deleted."""
        verb(exchange.kv.set, key, _bytes(value), keep_secs)

    @staticmethod
    def swap(key: str, was: str | bytes | None, value: str | bytes) -> bool:
        """Set only if it still is `was`; answers whether it was."""
        return verb(exchange.kv.swap, key, None if was is None else _bytes(was), _bytes(value))

    @staticmethod
    def add(key: str, amount: int) -> int:
        """Adds to a number kept as decimal text, 0 if there is none; answers the sum."""
        return verb(exchange.kv.add, key, amount)

    @staticmethod
    def delete(key: str) -> None:
        """Done also when there was nothing."""
        verb(exchange.kv.delete, key)


class log:
    """Lines for the person who wrote the script: at most 4 KiB each and 64 KiB a call. What is printed goes there too."""

    @staticmethod
    def debug(line: object) -> None:
        """For the one who is looking."""
        exchange.log.write(exchange.log.Level.DEBUG, str(line))

    @staticmethod
    def info(line: object) -> None:
        """Worth keeping."""
        exchange.log.write(exchange.log.Level.INFO, str(line))

    @staticmethod
    def warn(line: object) -> None:
        """Not as it should be."""
        exchange.log.write(exchange.log.Level.WARN, str(line))

    @staticmethod
    def error(line: object) -> None:
        """It failed."""
        exchange.log.write(exchange.log.Level.ERROR, str(line))
