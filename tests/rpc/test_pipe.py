import pytest

from gateway.nt.status import (
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_PIPE_BUSY,
    STATUS_PIPE_EMPTY,
    StatusError,
)
from gateway.rpc.pipe import MAX_INPUT
from gateway.rpc.registry import INTERFACES, open_pipe
from tests.rpc.client import USER, bind, bound, call, pipe, request, server

LEVEL_100 = bytes.fromhex("00000000 64000000")


@pytest.mark.parametrize("name", ["srvsvc", "\\srvsvc", "SrvSvc", "\\WKSSVC"])
def test_names_are_found_in_any_case(name) -> None:
    assert open_pipe(name, server(), USER).name == name.strip("\\").lower()


@pytest.mark.parametrize("name", ["", "\\", "mdssvc", "MsFteWds", "\\\\srvsvc", "PIPE\\srvsvc", "srvsvc "])
def test_other_names_are_not(name) -> None:
    with pytest.raises(StatusError) as error:
        open_pipe(name, server(), USER)
    assert error.value.status == STATUS_OBJECT_NAME_NOT_FOUND


def test_identities_are_unique() -> None:
    assert len({interface.syntax.uuid for interface in INTERFACES}) == len(INTERFACES)


def test_nothing_to_read() -> None:
    opened = pipe()
    for attempt in (lambda: opened.read(10), lambda: opened.transact(bind()[:20], 10)):
        with pytest.raises(StatusError) as error:
            attempt()
        assert error.value.status == STATUS_PIPE_EMPTY


def test_a_message_is_read_in_parts() -> None:
    whole, more = pipe().transact(bind(), 65536)
    assert not more
    opened = pipe()
    first, more = opened.transact(bind(), 10)
    assert (first, more) == (whole[:10], True)
    assert opened.available == len(whole) - 10
    with pytest.raises(StatusError) as error:
        opened.transact(request(21, LEVEL_100), 10)
    assert error.value.status == STATUS_PIPE_BUSY
    assert opened.read(0) == (b"", True)
    rest, more = opened.read(len(whole) - 10)
    assert (first + rest, more) == (whole, False)
    assert opened.available == 0


@pytest.mark.parametrize("size", [1, 7, 17])
def test_fragments_may_be_written_in_pieces(size) -> None:
    opened = pipe()
    data = bind() + request(21, LEVEL_100)
    for start in range(0, len(data), size):
        assert opened.write(data[start : start + size]) == len(data[start : start + size])
    ack, _ = opened.read(65536)
    response, _ = opened.read(65536)
    assert (ack[2], response[2]) == (12, 2)


def test_calls_wait_until_the_answers_before_them_are_read() -> None:
    opened = bound()
    opened.write(memoryview(request(21, LEVEL_100, call_id=2) + request(21, LEVEL_100, call_id=3)))
    for call_id in (2, 3):
        answer, more = opened.read(65536)
        assert (answer[12], more) == (call_id, False)
    assert not opened.available
    assert call(opened, 21, LEVEL_100)


def test_what_is_not_handled_yet_is_bounded() -> None:
    opened = bound()
    opened.write(request(21, LEVEL_100))
    with pytest.raises(StatusError) as error:
        opened.write(bytes(MAX_INPUT + 1))
    assert error.value.status == STATUS_INSUFFICIENT_RESOURCES
    opened.write(request(21, LEVEL_100))
    assert opened.read(65536)[0][2] == 2
    assert opened.read(65536)[0][2] == 2
