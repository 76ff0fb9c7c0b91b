"""What smbtorture says of a test."""

import re
from dataclasses import dataclass

__all__ = ["STATUSES", "Verdict", "read_verdict", "short_name"]

STATUSES = ("pass", "fail", "skip", "timeout", "crash")
"""`timeout` was ended by us; `crash` is an end without a verdict."""
REASON_LIMIT = 300

_WORDS = {"success": "pass", "failure": "fail", "error": "fail", "skip": "skip"}
_LINE = re.compile(r"(?P<word>success|failure|error|skip): (?P<name>.+?)(?P<block> \[)?")
_CHATTER = re.compile(r"smbtorture \d|Using seed |time: |test: |progress: ")


@dataclass(frozen=True)
class Verdict:
    """How a test ended, and why."""

    status: str
    reason: str = ""
    seconds: float = 0.0


def short_name(listed: str) -> str:
    """The name without the repetition at its end: `smb2.rw.rw1.rw1` is `smb2.rw.rw1`."""
    words = listed.split(".")
    for size in range(1, len(words) // 2 + 1):
        if words[-size:] == words[-2 * size : -size]:
            return ".".join(words[:-size])
    return listed


def read_verdict(output: str) -> Verdict | None:
    """What the output says; None if it ends without saying anything.

    Of several verdicts (a suite may set up and tear down in tests of their own) a failure counts most.
    """
    found: dict[str, str] = {}
    lines = iter(output.splitlines())
    for line in lines:
        # Something that was printed without an end of line may stand before it.
        match = _LINE.fullmatch(line) or _LINE.fullmatch(line[max(0, line.rfind("success: ")) :])
        if match is None:
            continue
        reason = []
        if match["block"]:
            for text in lines:
                if text == "]":
                    break
                reason.append(text)
        found.setdefault(_WORDS[match["word"]], "\n".join(reason))
    for status in ("fail", "pass", "skip"):
        if status in found:
            return Verdict(status, "" if status == "pass" else found[status][:REASON_LIMIT])
    return None


def last_words(output: str) -> str:
    """The end of what a test printed that gave no verdict."""
    lines = [line for line in output.splitlines() if line.strip() and not _CHATTER.match(line)]
    return "\n".join(lines)[-REASON_LIMIT:]
