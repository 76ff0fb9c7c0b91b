"""What is measured: each scenario builds an operation on a link, over files that were laid out beforehand."""

import itertools
import os
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from acl.mask import DELETE, FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_READ_ATTRIBUTES
from gateway.nt.constants import (
    FILE_ALL_INFORMATION,
    FILE_ATTRIBUTE_NORMAL,
    FILE_CREATE,
    FILE_DIRECTORY_FILE,
    FILE_ID_BOTH_DIRECTORY_INFORMATION,
    FILE_NON_DIRECTORY_FILE,
    FILE_OPEN,
)
from gateway.nt.status import STATUS_NO_MORE_FILES
from gateway.protocol.connection import ANY_ID
from gateway.wire.close import CloseRequest
from gateway.wire.create import CreateRequest, CreateResponse
from gateway.wire.echo import EchoRequest
from gateway.wire.header import Header, Opcode
from gateway.wire.query_directory import QueryDirectoryRequest
from gateway.wire.query_info import QueryInfoRequest
from gateway.wire.read import READ_HEADROOM, ReadRequest
from gateway.wire.set_info import SetInfoRequest
from gateway.wire.write import WriteRequest
from tests.bench.link import BenchError, Element, Link, Operation, Steps

__all__ = [
    "LARGE",
    "SCENARIOS",
    "Scenario",
    "close",
    "create",
    "lay_out",
    "lists",
    "opened",
    "reads",
    "stats",
    "writes",
]

KIB, MIB = 1 << 10, 1 << 20
FILES, LARGE = 5000, 64 * MIB
"""How many files there are to open, and the size of the one that is read and written."""
_SHARE_ALL = 7
_OFFSET_AT = 4 + 64 + 8
_FILE_INFO = 1
_DISPOSITION_INFORMATION = 13
_names = itertools.count()


@dataclass(frozen=True, slots=True)
class Scenario:
    """`build` makes the operation; `prepare`, if any, is run before each round with the number of operations."""

    name: str
    depth: int
    count: int
    """Operations of a round, if there is time."""
    size: int
    """Bytes of payload of an operation."""
    build: Callable[[Link], Operation] | None
    """None: the operation is to connect."""
    prepare: Callable[[Link, int], None] | None = None


def lay_out(share: Path, files: int = FILES) -> None:
    """Make the files the scenarios need in a share's directory, before anything is measured; its owner's."""
    noise = random.Random(1).randbytes(MIB)
    with (share / "large").open("wb") as large:
        for _ in range(LARGE // MIB):
            large.write(noise)
    (share / "many").mkdir()
    (share / "new").mkdir()
    for number in range(files):
        (share / "many" / f"file{number:06}").touch()
    owner = share.stat()
    for path in share.rglob("*"):
        os.chown(path, owner.st_uid, owner.st_gid)
    os.sync()


# --- requests


def create(path: str, access: int, disposition: int = FILE_OPEN, options: int = FILE_NON_DIRECTORY_FILE) -> Element:
    return Opcode.CREATE, CreateRequest(
        impersonation_level=2,
        desired_access=access,
        file_attributes=FILE_ATTRIBUTE_NORMAL,
        share_access=_SHARE_ALL,
        create_disposition=disposition,
        create_options=options,
        name=path,
    )


def close(persistent: int = ANY_ID, volatile: int = ANY_ID) -> Element:
    return Opcode.CLOSE, CloseRequest(persistent_file_id=persistent, volatile_file_id=volatile)


def opened(link: Link, path: str, access: int) -> tuple[int, int]:
    reply = CreateResponse.parse(link.call(link.frame(create(path, access))))
    return reply.persistent_file_id, reply.volatile_file_id


# --- operations


def _echo(link: Link) -> Operation:
    frame = link.frame((Opcode.ECHO, EchoRequest()))

    def operation() -> Steps:
        yield frame

    return operation


def reads(size: int, path: str = "large", end: int = LARGE) -> Callable[[Link], Operation]:
    def build(link: Link) -> Operation:
        persistent, volatile = opened(link, path, FILE_GENERIC_READ)
        request = ReadRequest(length=size, persistent_file_id=persistent, volatile_file_id=volatile)
        frame = link.frame((Opcode.READ, request), size=size)
        offsets = _offsets(size, end)

        def operation() -> Steps:
            struct.pack_into("<Q", frame.data, _OFFSET_AT, next(offsets))
            reply = yield frame
            if len(reply) < READ_HEADROOM + size:
                raise BenchError(f"a read of {size} bytes brought {len(reply)}")

        return operation

    return build


def writes(size: int) -> Callable[[Link], Operation]:
    def build(link: Link) -> Operation:
        persistent, volatile = opened(link, "large", FILE_GENERIC_READ | FILE_GENERIC_WRITE)
        data = memoryview(random.Random(2).randbytes(size))
        request = WriteRequest(persistent_file_id=persistent, volatile_file_id=volatile, data=data)
        frame = link.frame((Opcode.WRITE, request), size=size)
        offsets = _offsets(size)

        def operation() -> Steps:
            struct.pack_into("<Q", frame.data, _OFFSET_AT, next(offsets))
            yield frame

        return operation

    return build


def _offsets(size: int, end: int = LARGE) -> "itertools.cycle[int]":
    """Small pieces at random, large ones in order."""
    offsets = list(range(0, end - size + 1, size))
    if size < MIB:
        random.Random(3).shuffle(offsets)
    return itertools.cycle(offsets)


def _open_close(link: Link) -> Operation:
    names = itertools.cycle(range(FILES))

    def operation() -> Steps:
        reply = CreateResponse.parse((yield link.frame(create(rf"many\file{next(names):06}", FILE_GENERIC_READ))))
        yield link.frame(close(reply.persistent_file_id, reply.volatile_file_id))

    return operation


def stats(directory: str = "many\\", files: int = FILES, digits: int = 6) -> Callable[[Link], Operation]:
    """Open, ask for everything, and close, in one message; of the files of a directory, in order."""
    return lambda link: _asking(link, directory, files, digits)


def _asking(link: Link, directory: str, files: int, digits: int) -> Operation:
    names = itertools.cycle(range(files))
    query = QueryInfoRequest(
        info_type=_FILE_INFO,
        file_info_class=FILE_ALL_INFORMATION,
        output_buffer_length=4 * KIB,
        persistent_file_id=ANY_ID,
        volatile_file_id=ANY_ID,
    )

    def operation() -> Steps:
        opening = create(f"{directory}file{next(names):0{digits}}", FILE_READ_ATTRIBUTES)
        yield link.frame(opening, (Opcode.QUERY_INFO, query), close())

    return operation


def lists(directory: str) -> Callable[[Link], Operation]:
    """Enumerate a directory from beginning to end."""
    return lambda link: _listing(link, directory)


def _listing(link: Link, directory: str) -> Operation:
    def operation() -> Steps:
        reply = yield link.frame(create(directory, FILE_GENERIC_READ, options=FILE_DIRECTORY_FILE))
        one = CreateResponse.parse(reply)
        ids = one.persistent_file_id, one.volatile_file_id
        query = QueryDirectoryRequest(
            file_information_class=FILE_ID_BOTH_DIRECTORY_INFORMATION,
            persistent_file_id=ids[0],
            volatile_file_id=ids[1],
            output_buffer_length=64 * KIB,
            pattern="*",
        )
        frame = link.frame((Opcode.QUERY_DIRECTORY, query), size=64 * KIB)
        while True:
            reply = yield frame
            if Header.parse(reply).status == STATUS_NO_MORE_FILES:
                break
        yield link.frame(close(*ids))

    return operation


_made: dict[int, list[str]] = {}
"""Files that wait to be deleted, by link."""


def _make(link: Link) -> Operation:
    made = _made.setdefault(id(link), [])
    data = memoryview(bytes(4 * KIB))
    write = WriteRequest(persistent_file_id=ANY_ID, volatile_file_id=ANY_ID, data=data)

    def operation() -> Steps:
        name = rf"new\file{next(_names):08}"
        made.append(name)
        access = FILE_GENERIC_READ | FILE_GENERIC_WRITE
        yield link.frame(create(name, access, FILE_CREATE), (Opcode.WRITE, write), close())

    return operation


def _make_some(link: Link, count: int) -> None:
    missing = count - len(_made.setdefault(id(link), []))
    if missing > 0:
        link.run(_make(link), 1, missing, 600)


def _delete(link: Link) -> Operation:
    made = _made.setdefault(id(link), [])
    disposition = SetInfoRequest(
        info_type=_FILE_INFO,
        file_info_class=_DISPOSITION_INFORMATION,
        persistent_file_id=ANY_ID,
        volatile_file_id=ANY_ID,
        buffer=memoryview(b"\1"),
    )

    def operation() -> Steps:
        yield link.frame(create(made.pop(), DELETE), (Opcode.SET_INFO, disposition), close())

    return operation


SCENARIOS = (
    Scenario("echo", 1, 20_000, 0, _echo),
    Scenario("read 4k", 1, 20_000, 4 * KIB, reads(4 * KIB)),
    Scenario("read 4k", 16, 40_000, 4 * KIB, reads(4 * KIB)),
    Scenario("write 4k", 16, 20_000, 4 * KIB, writes(4 * KIB)),
    Scenario("read 1m", 4, 2000, MIB, reads(MIB)),
    Scenario("write 1m", 4, 1500, MIB, writes(MIB)),
    Scenario("open+close", 1, 5000, 0, _open_close),
    Scenario("stat", 1, 8000, 0, stats()),
    Scenario("create", 1, 2000, 4 * KIB, _make),
    Scenario("delete", 1, 2000, 0, _delete, _make_some),
    Scenario("list 5000", 1, 40, 0, lists("many")),
    Scenario("connect", 1, 100, 0, None),
)
