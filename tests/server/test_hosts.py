import socket

import pytest

from gateway.server.hosts import Hosts


@pytest.mark.parametrize(
    ("allow", "deny", "address", "may"),
    [
        ((), (), "192.0.2.1", True),
        (("192.0.2.0/24",), (), "192.0.2.1", True),
        (("192.0.2.0/24",), (), "198.51.100.1", False),
        (("192.0.2.",), (), "192.0.2.77", True),
        (("192.0.2.",), (), "192.0.3.77", False),
        (("10.",), (), "10.255.0.1", True),
        (("192.0.2.0/255.255.255.0",), (), "192.0.2.9", True),
        (("2001:db8::/32",), (), "2001:db8::1", True),
        (("192.0.2.1",), (), "::ffff:192.0.2.1", True),
        ((), ("192.0.2.1",), "192.0.2.1", False),
        ((), ("192.0.2.1",), "192.0.2.2", True),
        ((), ("ALL",), "192.0.2.2", False),
        (("192.0.2.1",), ("ALL",), "192.0.2.1", True),
        (("192.0.2.1",), ("192.0.2.2",), "192.0.2.3", True),
        (("ALL", "EXCEPT", "192.0.2.5"), (), "192.0.2.6", True),
        (("ALL", "EXCEPT", "192.0.2.5"), (), "192.0.2.5", False),
        (("192.0.2.1",), (), "127.0.0.1", True),
        (("192.0.2.1",), (), "", True),
        ((), ("127.0.0.1",), "127.0.0.1", False),
        (("localhost",), ("ALL",), "127.0.0.1", True),
    ],
)
def test_who_may_connect(allow: tuple[str, ...], deny: tuple[str, ...], address: str, may: bool) -> None:
    assert Hosts(allow, deny).may_connect(address) is may


def test_a_name_that_nobody_knows(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    hosts = Hosts(("no-such-host.invalid",), ())
    assert not hosts.may_connect("192.0.2.1")
    assert "no-such-host.invalid" in caplog.text
