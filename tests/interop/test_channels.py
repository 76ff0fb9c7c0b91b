"""Sessions on several connections, with software that was not written for this server."""

from tests.interop.port_445 import on_port_445


def test_smbtorture_makes_connections_by_the_addresses_that_it_is_told_of(server) -> None:
    """It asks for the addresses, connects to one of them 32 times, on port 445, and binds its session each time."""
    credentials = f"{server.user}%{server.password}"
    command = ["smbtorture", "//127.0.0.1/share", "-U", credentials, "smb2.multichannel.bugs.bug_15346"]
    with on_port_445(server.port) as run:
        done = run(command)
    assert "success: bug_15346" in done.stdout, done.stdout + done.stderr
    assert server.output().count("one more connection for") >= 31
