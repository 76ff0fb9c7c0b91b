"""That the memory of large buffers is used again, and nobody looks for garbage in what stays."""

import subprocess
import sys

from gateway.server import run, running
from tests.requirements import Need, needs

USES_A_MIB_OFTEN = """
import resource
from gateway.server.allocator import keep_freed_memory
keep_freed_memory()
kept = b"x" * 1000  # so that not all of the heap is free in between
for number in range(110):
    if number == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    buffers = [bytearray(1 << 20) for _ in range(3)]
    for buffer in buffers:
        buffer[::4096] = bytes(256)
    del buffer, buffers
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


COLLECTS_AFTER_THE_START = """
import gc
import gateway.server.run
from gateway.server.allocator import spare_what_stays
gc.disable()
before = len(gc.get_objects())
spare_what_stays()
kept = [[] for _ in range(1000)]
print(before, len(gc.get_objects()))
"""


def test_what_was_made_at_the_start_is_not_gone_through_again():
    done = subprocess.run([sys.executable, "-c", COLLECTS_AFTER_THE_START], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert 1000 <= after < before / 10


@needs(Need.GLIBC)
def test_a_large_buffer_costs_its_pages_once():
    done = subprocess.run([sys.executable, "-c", USES_A_MIB_OFTEN], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1000, "new pages for what had been there before"


async def test_a_server_keeps_freed_memory(make_config, monkeypatch):
    asked = []
    monkeypatch.setattr(run, "keep_freed_memory", lambda: asked.append(True))
    async with running(make_config()):
        assert asked
