"""What a test writes down: the caller's plan, and who else there is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from . import _wit
from ._wit import types

ANSWERS_AFTER = 2.0


class Party:
    def __init__(self, name: str) -> None:
        self.name = name
        self.extension = ""
        self._after = ANSWERS_AFTER
        self._fails: Any = None
        self.talks = float("inf")
        self.transfers = (float("inf"), "")
        self.keys = ""
        self.presence = "FREE"

    def answers_after(self, length: float) -> Any:
        """After so long; 2 unless said."""
        self._after = length
        return self

    def never_answers(self) -> Any:
        """Lets it ring."""
        self._after = float("inf")
        return self

    def rejects_after(self, length: float, status: int) -> Any:
        """Refuses with a SIP status, 400 to 699; 486 is busy."""
        self._after = length
        self._fails = types.Failure_Busy() if status == 486 else types.Failure_Refused(status)
        return self

    def hangs_up_after(self, length: float) -> Any:
        """So long after answering."""
        self.talks = length
        return self

    def presses(self, keys: str) -> Any:
        """When its telephone is asked for keys, also when the caller has left: a second after the question begins; each
        further key half a second later. A question takes what it needs, and leaves the rest to the next one."""
        self.keys = keys
        return self

    def transfers_after(self, length: float, to: str) -> Any:
        """Asks, so long after answering, that this user or number takes its place."""
        self.transfers = (length, to)
        return self

    def manner(self, skip_busy: bool) -> tuple[float, Any]:
        """After how long what happens: None is an answer."""
        if self.presence == "OFFLINE":
            return 0.0, types.Failure_Unreachable()
        if self.presence == "BUSY" and skip_busy:
            return 0.0, types.Failure_Busy()
        return self._after, self._fails


class User(Party):
    """A user of the tenant, registered and free unless said."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.groups: list[str] = []

    def numbered(self, extension: str) -> User:
        """With this extension."""
        self.extension = extension
        return self

    def in_group(self, group: str) -> User:
        """In this group too."""
        self.groups.append(group)
        return self

    def busy(self) -> User:
        """On a call already."""
        self.presence = "BUSY"
        return self

    def offline(self) -> User:
        """No device is registered."""
        self.presence = "OFFLINE"
        return self


class Telephone(Party):
    """A telephone number or SIP URI; others are unreachable."""


@dataclass
class Step:
    kind: str
    what: Any = None
    first: bool = False

    def __str__(self) -> str:
        what = getattr(self.what, "value", self.what)
        return self.kind if what is None else f"{self.kind} {what}"


@dataclass(frozen=True)
class Call:
    """A call that was simulated, for a test to look at."""

    log: list[str]
    timeline: list[str]
    tags: list[tuple[str, str]]
    kept: dict[str, bytes]
    #: Who was told what, with which facts; "" is everyone.
    notices: list[tuple[str, str, dict[str, str]]]
    handed_over: tuple[str, Any] | None
    length: float

    def tag(self, key: str) -> str | None:
        """What the script marked the call with under this key, the last time."""
        return next((value for name, value in reversed(self.tags) if name == key), None)


class Caller:
    """A caller with a plan, and the world around it."""

    def __init__(self, number: str) -> None:
        self.number = number
        self.dialled = "700"
        self.at = datetime(2026, 1, 5, 10, tzinfo=timezone.utc)
        self.settings: Any = {}
        self.users: list[User] = []
        self.telephones: list[Telephone] = []
        self.calendars: dict[str, str] = {}
        self.contacts: dict[str, dict[str, Any]] = {}
        self.servers: list[tuple[str, dict[str, Any]]] = []
        self.lines: dict[str, tuple[str | None, float]] = {}
        self.mailboxes: dict[str, dict[str, Any]] = {}
        self.remembered: dict[str, bytes] = {}
        self.transferred_by: str | None = None
        self.spoke: str | None = None
        self.steps: list[Step] = []

    def calls(self, number: str) -> Caller:
        """The number dialled; "700" unless said."""
        self.dialled = number
        return self

    def at_time(self, moment: str) -> Caller:
        """ "2026-11-27 23:58", UTC; Monday, 5 January 2026, ten o'clock unless said."""
        self.at = datetime.fromisoformat(moment).replace(tzinfo=timezone.utc)
        return self

    def with_settings(self, settings: Any) -> Caller:
        """The script's settings."""
        self.settings = settings
        return self

    def there(self, party: User | Telephone) -> Caller:
        """There is this one too."""
        (self.users if isinstance(party, User) else self.telephones).append(party)
        return self

    def calendar(self, name: str, scheme: str) -> Caller:
        """A calendar of the tenant, and the scheme in force by it."""
        self.calendars[name] = scheme
        return self

    def contact(self, number: str, **fields: Any) -> Caller:
        """The tenant's CRM has this contact: id, name, company, owner, or a field of its own."""
        self.contacts[number] = fields
        return self

    def server(
        self,
        url: str,
        body: str | bytes = b"",
        status: int = 200,
        headers: dict[str, str] | None = None,
        after: float = 0.0,
        fails: Any = None,
    ) -> Caller:
        """A server outside, the first that has the URL ("*" stands for anything); others are not allowed. `fails`: a
        failure in place of an answer, as `TimedOut()`."""
        answer = {"body": body, "status": status, "headers": headers or {}, "after": after, "fails": fails}
        self.servers.append((url, answer))
        return self

    def queue(self, name: str, agent: str | None = None, after: float = 20.0) -> Caller:
        """There is this queue, with an agent for the caller after so long, or none."""
        self.lines[name] = (agent, after)
        return self

    def mailbox(self, name: str, **box: Any) -> Caller:
        """A box: pin, owners, greeting, longest, silence, shortest, full, and `messages` with their id, number, name, at,
        length, heard. One that no test names is there too, empty."""
        self.mailboxes[name] = box
        return self

    def transferred_by_user(self, user: str) -> Caller:
        """This user has transferred the caller here."""
        self.transferred_by = user
        return self

    def remembers(self, key: str, text: str) -> Caller:
        """What an earlier call left in the tenant's memory."""
        self.remembered[key] = text.encode()
        return self

    def spoke_with(self, user: str) -> Caller:
        """The caller spoke with this user before."""
        self.spoke = user
        return self

    def _then(self, kind: str, what: Any = None, first: bool = False) -> Caller:
        self.steps.append(Step(kind, what, first))
        return self

    def is_answered(self) -> Caller:
        """Expects to be answered."""
        return self._then("is answered")

    def hears(self, what: Any) -> Caller:
        """Expects to hear this, whatever is heard before it. What follows happens while it can be heard."""
        return self._then("hears", types.Prompt_Recording(what) if isinstance(what, str) else what)

    def hears_music(self) -> Caller:
        """Expects music on hold, of any name."""
        return self._then("hears music")

    def hears_ringing(self) -> Caller:
        """Expects a ringing tone."""
        return self._then("hears ringing")

    def talks_with(self, whom: str) -> Caller:
        """Expects to be bridged with this user or number."""
        return self._then("talks with", whom)

    def is_rejected(self, status: int) -> Caller:
        """Expects to be refused with this SIP status."""
        return self._then("is rejected", status)

    def is_hung_up(self) -> Caller:
        """Expects that the exchange ends the call."""
        return self._then("is hung up")

    def is_handed_over_to(self, script: str) -> Caller:
        """Expects to be handed over to another script."""
        return self._then("is handed over to", script)

    def falls_back(self) -> Caller:
        """Expects that the script fails."""
        return self._then("falls back")

    def presses(self, keys: str) -> Caller:
        """A second after what stands before; each further key half a second later."""
        for place, key in enumerate(keys):
            self._then("presses", key, first=place == 0)
        return self

    def speaks_for(self, length: float) -> Caller:
        """Speaks into a recording."""
        return self._then("speaks", length)

    def waits(self, length: float) -> Caller:
        """Does nothing for so long."""
        return self._then("waits", length)

    def hangs_up_after(self, length: float = 0.0) -> Caller:
        """Hangs up so long after what stands before."""
        return self._then("hangs up", length)

    def find(self, target: Any) -> Party | None:
        """Who is meant by a target."""
        name = target.value
        if isinstance(target, types.Target_User):
            return next((user for user in self.users if name in (user.name, user.extension)), None)
        return next((party for party in self.telephones if party.name == name), None)

    def run(self, script: Any) -> Call:
        """Runs a script: its module, or anything with `on_call`."""
        from .._script import run_call
        from ._world import World

        world = World(self)
        before = _wit.play(world)
        thrown: BaseException | None = None
        try:
            run_call(script, world.caller)
        except AssertionError:
            raise
        except Exception as error:  # noqa: BLE001, a script may raise anything
            thrown = error
        finally:
            _wit.play(before)
        world.finish(thrown)
        return Call(world.log, world.timeline, world.tags, world.kept, world.notices, world.handed_over, world.now)
