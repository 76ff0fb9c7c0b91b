"""What two actors do to one file, by section of the document, and how it turns out: in the words of the tables."""

import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from pathlib import Path

from tests.matrix.actors import Actor, Opened, Program, Refused
from tests.matrix.samba import Smbclient
from tests.matrix.smb import SHARE_NONE, SHARE_READ, SmbClient

__all__ = ["SCENES", "World", "fits"]

PATIENCE = 20.0
"""Seconds for what has to happen."""
SETTLED = 0.4
"""Seconds for what could happen, and does not."""
TOLD = 3.0
"""The same for being told of something, which may take a moment."""
CONTENTS = b"0123456789" * 10
CHANGED = b"abcdefghij"


@dataclass
class World:
    """A share and all who use it. `second` has the same name as `first`, where somebody meets their like."""

    top: Path
    """The directory behind the share."""
    smb: SmbClient
    other_smb: SmbClient
    others: Mapping[str, Actor]
    """By their names; an SMB client among them is `other_smb`."""
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8))

    def first(self, name: str) -> Actor:
        return self.smb if name == self.smb.name else self.others[name]

    def file(self) -> str:
        """A new file, which others may read and write."""
        name = f"file {secrets.token_hex(4)}"
        (self.top / name).write_bytes(CONTENTS)
        (self.top / name).chmod(0o666)
        return name


def fits(outcome: str, expected: str) -> bool:
    """What need only be so in the end may be so at once."""
    return outcome == expected or (expected == "sees it later" and outcome == "sees it")


# --- leases


def opening(world: World, row: str, other: str) -> str:
    """Row: `holds RWH, opened to read`."""
    _, lease, _, _, how = row.replace(",", "").split()
    path = world.file()
    holder = world.smb.open(path, writes="W" in lease, lease=lease)
    assert holder.lease == lease
    opens = world.threads.submit(lambda: world.others[other].open(path, writes=how == "write"))
    try:
        outcome, left = _until_open(world, opens)
        opens.result(PATIENCE).close()
        return f"{outcome}, {left or lease} left"
    finally:
        holder.close()


def _until_open(world: World, opens: "Future[Opened]") -> tuple[str, str]:
    """Whether it had to wait, and what the holder was told to go down to."""
    left, outcome = "", "at once"
    deadline = time.monotonic() + SETTLED
    while time.monotonic() < deadline or not opens.done():
        told = world.smb.told(0.05)
        if told is None:
            assert time.monotonic() < deadline + PATIENCE
            continue
        if told.must_be_acknowledged:
            outcome = "waits" if _is_waiting(opens) else outcome
            world.smb.acknowledge(told)
        left = _letters(told.state)
        deadline = time.monotonic() + SETTLED
    return outcome, left


def _is_waiting(call: "Future[Opened]") -> bool:
    try:
        call.result(2 * SETTLED)
    except NotYet:
        return True
    return False


def _letters(state: int) -> str:
    return "".join(letter for bit, letter in ((1, "R"), (4, "W"), (2, "H")) if state & bit) or "nothing"


def writing(world: World, row: str, other: str) -> str:
    """Row: who has read the file, and keeps it."""
    path = world.file()
    if row.startswith("SMB client"):
        return _writing_under_a_lease(world, path, other)
    reader = world.first(row).open(path)
    writer = world.others[other].open(path, writes=True)
    try:
        assert reader.read(0, 10) == CONTENTS[:10]
        writer.write(0, CHANGED)
        if reader.read(0, 10) == CHANGED:
            return "sees it"
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            time.sleep(0.1)
            if reader.read(0, 10) == CHANGED:
                return "sees it later"
        return "does not see it"
    finally:
        reader.close()
        writer.close()


def _writing_under_a_lease(world: World, path: str, other: str) -> str:
    writer = world.others[other].open(path, writes=True)
    reader = world.smb.open(path, lease="R")
    try:
        if reader.lease != "R":
            return "keeps nothing"
        assert reader.read(0, 10) == CONTENTS[:10]
        writer.write(0, CHANGED)
        told = world.smb.told(TOLD)
        assert reader.read(0, 10) == CHANGED
        return "is told" if told else "is not told"
    finally:
        reader.close()
        writer.close()


# --- share modes


def denied(world: World, row: str, other: str) -> str:
    """Row: `shares nothing, opened to read`."""
    _, shared, _, _, how = row.replace(",", "").split()
    path = world.file()
    holder = world.smb.open(path, share=SHARE_NONE if shared == "nothing" else SHARE_READ)
    try:
        return _opens(lambda: world.others[other].open(path, writes=how == "write"))
    finally:
        holder.close()


def denying(world: World, row: str, other: str) -> str:
    """Row: `open to write, client shares nothing`."""
    how = row.replace(",", "").split()[2]
    path = world.file()
    holder = world.others[other].open(path, writes=how == "write")
    try:
        return _opens(lambda: world.smb.open(path, share=SHARE_NONE))
    finally:
        holder.close()


def _opens(call: Callable[[], Opened]) -> str:
    try:
        call().close()
    except Refused:
        return "refused"
    return "opens"


# --- locks


def locking(world: World, row: str, other: str) -> str:
    return _while_locked(world, row, other, lambda opened: opened.lock(5, 10), "granted")


def reading_what_is_locked(world: World, row: str, other: str) -> str:
    return _while_locked(world, row, other, lambda opened: opened.read(5, 1), "goes on")


def _while_locked(world: World, row: str, other: str, call: Callable[[Opened], object], otherwise: str) -> str:
    path = world.file()
    first = world.first(row).open(path, writes=True)
    second = world.others[other].open(path, writes=True)
    try:
        first.lock(0, 10)
        try:
            call(second)
        except Refused:
            return "refused"
        return otherwise
    finally:
        second.close()
        first.close()


# --- names


def removing(world: World, row: str, other: str) -> str:
    return _while_open(world, row, other, lambda actor, path: actor.remove(path))


def renaming(world: World, row: str, other: str) -> str:
    return _while_open(world, row, other, lambda actor, path: actor.rename(path, f"{path} moved"))


def _while_open(world: World, row: str, other: str, call: Callable[[Actor, str], None]) -> str:
    path = world.file()
    holder = world.first(row).open(path)
    try:
        try:
            call(world.others[other], path)
        except Refused:
            return "refused"
        name_is_there = (world.top / path).exists()
        if holder.read(0, 10) != CONTENTS[:10]:
            return "is lost"
    finally:
        holder.close()
    if not name_is_there:
        return "done"
    deadline = time.monotonic() + PATIENCE
    while (world.top / path).exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return "when it is closed"


# --- permissions and notification


def permissions(world: World, row: str, other: str) -> str:
    """Row: who takes the right to read a file from others."""
    path = world.file()
    judged = world.others[other]
    judged.others_read(path)
    world.first(row).close_to_others(path)
    deadline = time.monotonic() + 3
    is_first = True
    while time.monotonic() < deadline:
        try:
            judged.others_read(path)
        except Refused:
            return "refused" if is_first else "refused later"
        is_first = False
        time.sleep(0.2)
    return "reads"


def notification(world: World, row: str, other: str) -> str:
    """Row: who watches a directory."""
    directory = f"directory {secrets.token_hex(4)}"
    (world.top / directory).mkdir()
    watching = world.first(row)
    assert isinstance(watching, SmbClient | Smbclient | Program)
    with watching.watch(directory) as is_told:
        time.sleep(0.1)
        world.others[other].create(f"{directory}/new")
        return "told" if is_told(TOLD) else "not told"


SCENES: Mapping[str, Callable[[World, str, str], str]] = {
    "Opening what a client caches": opening,
    "Writing what somebody has read": writing,
    "Opening what a client does not share": denied,
    "Denying what somebody has open": denying,
    "Locking what is locked": locking,
    "Reading what is locked": reading_what_is_locked,
    "Removing what is open": removing,
    "Renaming what is open": renaming,
    "Taking rights away": permissions,
    "Watching a directory": notification,
}
