"""The writer of standard output."""

from __future__ import annotations

import io
import threading

from app.telemetry.output import Output

PATIENCE = 10.0


class Slow(io.BytesIO):
    """Keeps what each write brought, and holds writes up until it is let go."""

    def __init__(self, *, held: bool = False) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.asked, self.let_go = threading.Event(), threading.Event()
        if not held:
            self.let_go.set()

    def write(self, data: bytes) -> int:  # type: ignore[override]  # bytes are all that is written
        self.asked.set()
        assert self.let_go.wait(PATIENCE)
        self.writes.append(data)
        return len(data)


def test_lines_come_in_order_in_few_writes_and_all_before_the_end() -> None:
    out = Slow()
    output = Output(out)
    lines = [b"%d\n" % number for number in range(3000)]
    for line in lines:
        output.put(line)
    output.close(PATIENCE)
    assert b"".join(out.writes) == b"".join(lines)
    assert len(out.writes) <= 20
    assert output.dropped == 0


def test_a_lone_line_is_written_without_another_to_push_it() -> None:
    out = Slow()
    output = Output(out)
    output.put(b"alone\n")
    assert out.asked.wait(PATIENCE)
    output.close(PATIENCE)


def test_lines_that_nobody_takes_are_dropped_and_counted_and_the_end_still_comes() -> None:
    out = Slow(held=True)
    output = Output(out, waiting=10)
    output.put(b"first\n")
    assert out.asked.wait(PATIENCE)
    for number in range(15):
        output.put(b"%d\n" % number)
    assert output.dropped == 5
    out.let_go.set()
    output.close(PATIENCE)
    assert b"".join(out.writes) == b"first\n" + b"".join(b"%d\n" % number for number in range(10))
