import json
import os
import stat
import time

import msgspec
import pytest
import structlog

from app.telemetry.record import CallRecord
from app.usage.frames import FRAME_LIMIT, RECORD_LIMIT, encode_frame
from app.usage.spool import Spool, claim_spool, read_from, spool_files

LOG = structlog.get_logger()


def ids(path, offset=0):
    return [json.loads(frame.payload)["id"] for frame in read_from(path, offset)]


def test_records_come_back_in_order_from_any_offset(tmp_path, make_record):
    spool = Spool(tmp_path, "run", LOG)
    records = [make_record(f"c{i}") for i in range(5)]
    for record in records:
        spool.append(record)
    frames = list(read_from(spool.path, 0))
    assert [msgspec.json.decode(frame.payload, type=CallRecord) for frame in frames] == records
    assert ids(spool.path, frames[2].end) == ["c3", "c4"]
    assert stat.S_IMODE(spool.path.stat().st_mode) == 0o600
    spool.close()
    spool.sync()


def test_a_tail_torn_at_any_byte_costs_that_record_alone(tmp_path, make_record):
    whole = encode_frame(make_record("a")) + encode_frame(make_record("b"))
    last = encode_frame(make_record("torn"))
    path = tmp_path / "f.spool"
    for cut in range(len(last)):
        path.write_bytes(whole + last[:cut])
        assert ids(path) == ["a", "b"]
        path.write_bytes(whole + last[:cut] + encode_frame(make_record("next")))
        assert ids(path) == ["a", "b", "next"]
    path.write_bytes(whole + last)
    assert ids(path) == ["a", "b", "torn"]


def test_a_flipped_byte_anywhere_costs_that_record_alone(tmp_path, make_record):
    a, b, c = (encode_frame(make_record(id)) for id in "abc")
    path = tmp_path / "f.spool"
    for at in range(len(b)):
        path.write_bytes(a + b[:at] + bytes([b[at] ^ 0x55]) + b[at + 1 :] + c)
        assert ids(path) == ["a", "c"]


@pytest.mark.parametrize("size", [1, 8, FRAME_LIMIT, 5 * FRAME_LIMIT, 9 * FRAME_LIMIT + 3])
@pytest.mark.parametrize("byte", [b"\0", b"{", b"\xff"])
def test_rubbish_of_any_length_is_stepped_over(tmp_path, make_record, size, byte):
    path = tmp_path / "f.spool"
    path.write_bytes(encode_frame(make_record("a")) + byte * size + encode_frame(make_record("b")))
    frames = list(read_from(path, 0))
    assert [json.loads(frame.payload)["id"] for frame in frames] == ["a", "b"]
    assert frames[1].begin - frames[0].end == size


def test_a_client_cannot_forge_a_record_inside_its_own(tmp_path, make_record):
    forged = encode_frame(make_record("forged")).decode("latin-1")
    spool = Spool(tmp_path, "run", LOG)
    spool.append(make_record("real", model=forged))
    data = spool.path.read_bytes()
    spool.path.write_bytes(b"\xff" + data[1:])
    assert ids(spool.path) == []
    spool.close()
    spool.sync()


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "half a pair: \ud800"},
        {"model": "x" * (2 * RECORD_LIMIT)},
        {"tags": {f"{i}" + "\ud800" * 500: "é" * 5000 for i in range(500)}},
        {"input_tokens": 10**30},
    ],
)
def test_whatever_a_record_holds_it_is_written_within_the_limit(tmp_path, make_record, changes):
    spool = Spool(tmp_path, "run", LOG)
    spool.append(make_record("odd", **changes))
    spool.append(make_record("next"))
    assert ids(spool.path) == ["odd", "next"]
    assert spool.path.stat().st_size < 2 * FRAME_LIMIT
    assert (spool.lost, spool.pending) == (0, 0)
    spool.close()
    spool.sync()


def test_a_file_can_be_claimed_only_when_its_run_is_over(tmp_path, make_record):
    spool = Spool(tmp_path, "run", LOG, segment_limit=1)
    first = spool.path
    spool.append(make_record("a"))
    assert claim_spool(first) is None
    spool.append(make_record("b"))
    assert spool.path != first
    spool.sync()
    claim = claim_spool(first)
    assert claim is not None
    assert claim_spool(spool.path) is None
    assert claim_spool(first) is None
    assert [ids(path) for path in spool_files(tmp_path)] == [["a"], ["b"]]
    os.close(claim)
    spool.close()
    spool.sync()


def test_after_the_end_records_are_counted_as_lost_and_told_once(tmp_path, make_record):
    with structlog.testing.capture_logs() as events:
        spool = Spool(tmp_path, "run", structlog.get_logger())
        spool.close()
        spool.sync()
        spool.append(make_record("a"))
        spool.append(make_record("b"))
    assert spool.lost == 2
    assert [event["event"] for event in events] == ["usage_records_being_lost"]


def test_what_an_append_costs(tmp_path, make_record):
    spool = Spool(tmp_path, "run", LOG)
    record, rounds = make_record("a"), 5000
    begin = time.perf_counter()
    for _ in range(rounds):
        spool.append(record)
    print(f"an append takes {(time.perf_counter() - begin) / rounds * 1e6:.1f} us")
    assert len(ids(spool.path)) == rounds
    spool.close()
    spool.sync()
