"""Logging by component."""

import io
import logging

import pytest

from gateway import debug


@pytest.fixture
def stream():
    root, gateway = logging.getLogger(), logging.getLogger("gateway")
    level = gateway.level
    stream = io.StringIO()
    yield stream
    for handler in list(root.handlers):
        if getattr(handler, "stream", None) is stream:
            root.removeHandler(handler)
    debug.disable("all")
    gateway.setLevel(level)


def test_only_what_is_enabled_tells_everything(stream):
    debug.set_up(["auth"], stream)
    for name in ("gateway.auth", "gateway.smb", "gateway.smb.commands", "vfs_backends.posix"):
        logging.getLogger(name).debug("detail of %s", name)
        logging.getLogger(name).info("news of %s", name)
    told = [line.partition(": ")[2].split()[:3] for line in stream.getvalue().splitlines()]
    assert told == [
        ["detail", "of", "gateway.auth"],
        ["news", "of", "gateway.auth"],
        ["news", "of", "gateway.smb"],
        ["news", "of", "gateway.smb.commands"],
    ]
    assert debug.enabled() == ["auth"]


def test_all_and_none(stream):
    debug.set_up(["all"], stream)
    assert debug.enabled() == list(debug.COMPONENTS)
    logging.getLogger("vfs_backends.posix").debug("detail")
    assert "DEBUG vfs_backends.posix: detail" in stream.getvalue()
    debug.disable("vfs")
    logging.getLogger("vfs_backends.posix").info("more")
    assert "more" not in stream.getvalue()


def test_no_such_component():
    with pytest.raises(ValueError, match=r"no component 'nfs'; expected all, smb, auth"):
        debug.enable("nfs")


def test_the_context_is_told(stream):
    debug.set_up([], stream)
    token = debug.connection_id.set(3)
    logging.getLogger("gateway.smb").warning("slow")
    debug.connection_id.reset(token)
    logging.getLogger("gateway.smb").warning("fast")
    first, second = stream.getvalue().splitlines()
    assert first.endswith("WARNING gateway.smb: [conn 3] slow")
    assert second.endswith("WARNING gateway.smb: fast")
