"""Files that are deleted in the pass in which they were opened, where the directory is kept, and in a later one."""

import os
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from acl.mask import DELETE, FILE_ALL_ACCESS, FILE_READ_ATTRIBUTES
from gateway.nt.status import STATUS_ACCESS_DENIED, StatusError
from gateway.share.changing import set_delete
from gateway.share.granting import maximal_access
from gateway.share.opens import Open
from gateway.share.renaming import exchange, rename
from tests.requirements import Need, needs
from tests.share.secured import ALICE, BOB, Secured
from vfs_backends.inline import NotNow, begin_inline, may_wait, run_inline

pytestmark = needs(Need.ROOT)

Step = Callable[[], Coroutine[Any, Any, None]]


def descriptors(root: Path) -> int:
    """How many there are on what is below a directory."""
    with os.scandir("/proc/self/fd") as each:
        links = [os.readlink(entry.path) for entry in each if os.path.lexists(entry.path)]
    return sum(link.startswith(f"{root}/") for link in links)


class Scene:
    """A share whose directory `d` has a file, which is opened for deletion; the steps are one inline pass, or many."""

    def __init__(self, secured: Secured, root: Path, *, is_one: bool) -> None:
        self.secured = secured
        self.share = secured.share
        self.root = root
        self.is_one = is_one
        self.one: Open

    def run(self, *steps: Step) -> None:
        async def each() -> None:
            for step in steps:
                await step()

        before = descriptors(self.root)
        for operation in [each] if self.is_one else steps:
            run_inline(operation())
        assert descriptors(self.root) <= before, "nothing stays open"

    async def open(self, path: str, access: int = DELETE, who=ALICE) -> Open:
        return await self.secured.open(path, who, access)

    async def begin(self) -> None:
        self.one = await self.open("d/file")

    async def doom(self) -> None:
        await set_delete(self.share, self.one, True)

    async def end(self) -> None:
        await self.share.close(self.one)

    def outside(self, deed: Callable[[Path], object]) -> Step:
        """A step that somebody does to the directory itself."""

        async def step() -> None:
            deed(self.root)

        return step

    def names(self) -> set[str]:
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*")}


@pytest.fixture(params=[True, False], ids=["one pass", "several"])
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    secured = await Secured(tmp_path).start()
    made = Scene(secured, tmp_path, is_one=request.param)
    for one in (await secured.make("d", ALICE, directory=True), await secured.make("d/file", ALICE)):
        await secured.share.close(one)
    yield made
    await secured.stop()


async def test_deleted(scene) -> None:
    scene.run(scene.begin, scene.doom, scene.end)
    assert scene.names() == {"d"}


async def test_asked_about_before(scene) -> None:
    """As by clients that want to know all that they may do with what they open."""

    async def ask() -> None:
        assert await maximal_access(scene.share, ALICE, scene.one) & DELETE

    scene.run(scene.begin, ask, ask, scene.doom, scene.end)
    assert scene.names() == {"d"}


async def test_several_in_one(scene) -> None:
    for name in ("second", "third"):
        await scene.share.close(await scene.secured.make(f"d/{name}", ALICE))
    opens: list[Open] = []

    async def begin(name: str) -> None:
        opens.append(await scene.open(f"d/{name}"))
        await set_delete(scene.share, opens[-1], True)

    async def end() -> None:
        await scene.share.close(opens.pop(0))

    scene.run(partial(begin, "file"), partial(begin, "second"), end, partial(begin, "third"), end, end)
    assert scene.names() == {"d"}


async def test_the_directory_is_moved_by_somebody_else(scene) -> None:
    """In one pass that is as good as a moment later; after it the name is not where it was."""
    scene.run(scene.begin, scene.doom, scene.outside(lambda root: (root / "d").rename(root / "e")), scene.end)
    assert scene.names() == ({"e"} if scene.is_one else {"e", "e/file"})


async def test_another_directory_has_its_name(scene) -> None:
    """What is in there is none of the deletion's business."""

    def replace(root: Path) -> None:
        (root / "d").rename(root / "e")
        (root / "d").mkdir()
        (root / "d/file").touch()

    scene.run(scene.begin, scene.doom, scene.outside(replace), scene.end)
    assert scene.names() - {"e/file"} == {"d", "d/file", "e"}
    assert ("e/file" not in scene.names()) is scene.is_one


async def test_another_file_has_the_name(scene) -> None:
    def replace(root: Path) -> None:
        (root / "d/file").rename(root / "d/other")
        (root / "d/file").touch()

    scene.run(scene.begin, scene.doom, scene.outside(replace), scene.end)
    assert scene.names() == {"d", "d/file", "d/other"}


@pytest.mark.parametrize("all_of_it", [False, True])
async def test_removed_by_somebody_else(scene, all_of_it) -> None:
    def remove(root: Path) -> None:
        (root / "d/file").unlink()
        if all_of_it:
            (root / "d").rmdir()

    scene.run(scene.begin, scene.doom, scene.outside(remove), scene.end)
    assert scene.names() == (set() if all_of_it else {"d"})


async def test_the_file_is_moved_by_the_share(scene) -> None:
    await scene.share.close(await scene.secured.make("e", ALICE, directory=True))

    async def move() -> None:
        await rename(scene.share, scene.one, "e/new", replace=False)

    scene.run(scene.begin, move, scene.doom, scene.end)
    assert scene.names() == {"d", "e"}


async def test_directories_are_moved_by_the_share(scene) -> None:
    """To be looked for is the directory that has the name now: the one that was kept had it before."""
    await scene.share.close(await scene.secured.make("e", ALICE, directory=True))
    one, other = await scene.open("d", FILE_ALL_ACCESS), await scene.open("e", FILE_ALL_ACCESS)

    async def swap() -> None:
        await exchange(scene.share, one, other)
        await scene.share.close(one)
        await scene.share.close(other)

    async def back() -> None:
        await rename(scene.share, scene.one, "d/file", replace=False)

    scene.run(scene.begin, swap, back, scene.doom, scene.end)
    assert scene.names() == {"d", "e"}


async def test_the_directory_is_moved_by_the_share(scene) -> None:
    async def move() -> None:
        directory = await scene.open("d", FILE_ALL_ACCESS)
        await rename(scene.share, directory, "e", replace=False, posix=True)
        await scene.share.close(directory)

    scene.run(scene.begin, scene.doom, move, scene.end)
    assert scene.names() == {"e"}


async def test_the_caller_may_not_any_more(scene, caplog) -> None:
    scene.run(scene.begin, scene.doom, scene.outside(lambda root: (root / "d").chmod(0o555)), scene.end)
    assert scene.names() == {"d", "d/file"}
    assert "cannot delete" in caplog.text


async def test_what_was_not_granted_keeps_nothing(scene) -> None:
    async def refused() -> None:
        with pytest.raises(StatusError) as caught:
            await scene.open("d/file", who=BOB)
        assert caught.value.status == STATUS_ACCESS_DENIED

    scene.run(refused, refused)
    assert scene.names() == {"d", "d/file"}


async def test_a_pass_that_has_to_wait_keeps_nothing(scene) -> None:
    async def begin() -> None:
        await scene.begin()
        begin_inline()  # the next request of the compound
        may_wait()

    with pytest.raises(NotNow):
        run_inline(begin())
    assert descriptors(scene.root) == 1, "only the open"
    await scene.end()


async def test_the_last_open_is_another_one(scene) -> None:
    other = await scene.open("d/file", FILE_READ_ATTRIBUTES)
    scene.run(scene.begin, scene.doom, scene.end, lambda: scene.share.close(other))
    assert scene.names() == {"d"}


async def test_what_governs_a_directory_is_noticed_each_time(scene) -> None:
    """Also while it is watched, and changed in between by those who do not use the share."""

    async def attempt() -> None:
        await scene.share.close(await scene.open("d/file"))

    for _ in range(3):
        for _ in range(5):
            scene.run(attempt)
        (scene.root / "d").chmod(0o555)
        with pytest.raises(StatusError):
            scene.run(attempt)
        (scene.root / "d").chmod(0o755)


async def test_what_governs_a_directory_is_looked_at_after_the_mark(scene) -> None:
    """What was told when the directory was found is older than that."""
    share = scene.share
    found = [await share.fs.lookup(share.root, "d") for _ in range(5)]
    (scene.root / "d").chmod(0o555)
    for handle in found:
        governing = await share.descriptors.governing_kept(handle)
    present = await share.descriptors.governing(found[0], await found[0].stat())
    assert governing.descriptor == present.descriptor
    for handle in found:
        handle.discard()
