"""What the database holds of a credential opens with its key, in its own row, unaltered; and not otherwise."""

from __future__ import annotations

import base64

import pytest

from app.auth.upstream.sealing import FORM, Opened, Place, seal, unseal
from app.config.encryption import key_bytes, usable
from app.config.loader import load
from app.config.problems import ConfigError
from providers.types import Secret

TEXT = "sk-canary-sealed-0123456789"
KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
HERE = Place("openai", 7)
SEALED = seal(TEXT, HERE, KEY, b"n" * 12)


def test_it_opens_with_its_key_wherever_that_stands_among_the_keys():
    assert unseal(SEALED, HERE, [KEY]) == Opened(TEXT, 0)
    assert unseal(SEALED, HERE, [OTHER, KEY]) == Opened(TEXT, 1)
    assert TEXT not in SEALED
    assert base64.b64encode(TEXT.encode()).decode()[:12] not in SEALED
    assert seal(TEXT, HERE, KEY, b"m" * 12) != SEALED


def test_it_opens_with_no_other_key_and_in_no_other_row():
    for place, keys in (
        (HERE, [OTHER]),
        (HERE, []),
        (Place("openai", 8), [KEY]),
        (Place("anthropic", 7), [KEY]),
        (Place("openai ", 7), [KEY]),
        (Place("7 openai", 7), [KEY]),
    ):
        assert unseal(SEALED, place, keys) is None, (place, len(keys))


def test_not_one_bit_of_it_can_be_changed_or_left_out():
    data = base64.b64decode(SEALED.removeprefix(FORM))
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        assert unseal(FORM + base64.b64encode(changed).decode(), HERE, [KEY]) is None, bit
    for length in range(len(data)):
        assert unseal(FORM + base64.b64encode(data[:length]).decode(), HERE, [KEY]) is None, length
    for text in ("", "v1:", "v2:" + SEALED, SEALED[3:], SEALED + "é", SEALED + "!", TEXT):
        assert unseal(text, HERE, [KEY]) is None, text


def test_a_key_is_32_bytes_in_either_alphabet_of_base64():
    wild = bytes([251, 255] * 16)
    for write in (base64.b64encode, base64.urlsafe_b64encode):
        text = write(wild).decode()
        assert key_bytes(text) == key_bytes(text.rstrip("=")) == wild
    for wrong in (
        "",
        "a" * 42,
        "a" * 44,
        "ä" * 43,
        "a" * 32,
        base64.b64encode(wild + b"x").decode(),
        "a b" * 15,
    ):
        with pytest.raises(ValueError, match="32 bytes in base64") as raised:
            key_bytes(wrong)
        assert not wrong or wrong not in str(raised.value)
    assert usable([Secret("nonsense"), Secret(base64.b64encode(KEY).decode())]) == (KEY,)


def test_a_configuration_with_a_wrong_key_says_how_to_make_one_and_does_not_show_it(tmp_path):
    file = tmp_path / "config.yaml"
    wrong = "c2hvcnQgY2FuYXJ5IGtleQ=="
    file.write_text(f"encryption: {{keys: ['{wrong}']}}")
    with pytest.raises(ConfigError) as raised:
        load([file], {}, {})
    assert "openssl rand -base64 32" in str(raised.value)
    assert wrong not in str(raised.value)
    assert "config.yaml:1" in str(raised.value)
