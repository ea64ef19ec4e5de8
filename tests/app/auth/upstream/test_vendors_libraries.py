"""What the vendors' own libraries find and make, against servers on loopback. Skipped where they are not installed."""

from __future__ import annotations

import dataclasses
import functools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.auth.upstream.entra import scope_for
from app.auth.upstream.kinds import maker_for
from app.config.activation import ActiveProvider
from app.config.models import Timeouts
from providers.errors import RequestRejected
from providers.types import Head, HttpRequest, Operation, Quirks

VECTORS = json.loads((Path(__file__).parents[3] / "golden/bedrock/sigv4_vectors.json").read_text())
NOW = 1_795_161_600.0


def provider(auth: str, base_url: str = "https://x.test", **fields: Any) -> ActiveProvider:
    return ActiveProvider(
        name="p", dialect="openai", base_url=base_url, credentials=(), timeouts=Timeouts(), quirks=Quirks(),
        rename={}, drop=frozenset(), headers={}, max_tokens=None, patterns=(), example="", allow_private=True,
        transport="http", operations=frozenset(Operation), auth=auth, **fields,
    )  # fmt: skip


def made(which: ActiveProvider) -> Any:
    make = maker_for(which, lambda: NOW)
    assert make is not None
    return make()


@contextmanager
def server(answer: dict[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Answer every request with this, and keep what was asked."""
    seen: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            seen.append((self.command, self.path, dict(self.headers), body))
            said = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_POST = do_GET  # noqa: N815 - the base class looks for this name

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}", seen
        listening.shutdown()
        thread.join()


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Nothing of this machine's that a library could find."""
    import os

    for name in list(os.environ):
        if name.startswith(("AWS_", "AZURE_", "GOOGLE_", "IDENTITY_", "MSI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


def test_a_key_is_not_made() -> None:
    assert maker_for(provider("key"), lambda: NOW) is None


def signed_at(monkeypatch: pytest.MonkeyPatch, stamp: str) -> None:
    # botocore asks the clock itself.
    at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda **_: at)


def test_aws_signs_as_the_recorded_vectors(bare: pytest.MonkeyPatch) -> None:
    pytest.importorskip("botocore")
    for vector in VECTORS:
        bare.setenv("AWS_ACCESS_KEY_ID", vector["access_key"])
        bare.setenv("AWS_SECRET_ACCESS_KEY", vector["secret_key"])
        if vector["session_token"]:
            bare.setenv("AWS_SESSION_TOKEN", vector["session_token"])
        signed_at(bare, vector["amz_date"])
        headers = (("content-type", "application/json"), ("accept", "x/y"), ("authorization", "Bearer other"))
        request = HttpRequest(vector["method"], vector["url"], headers, vector["body"].encode())
        which = made(provider("aws", vector["url"].partition("/model/")[0]))
        sent = dict(which.apply(request).headers)
        assert sent["authorization"] == vector["expected_authorization"]
        assert sent["x-amz-date"] == vector["amz_date"]
        assert sent.get("x-amz-security-token") == vector["session_token"]
        assert (sent["content-type"], sent["accept"]) == ("application/json", "x/y")
        assert (which.fresh_until, which.valid_until) == (NOW + 240, NOW + 900)
    with pytest.raises(RequestRejected):
        which.apply(dataclasses.replace(request, body=()))
    for status, kind, is_refused in [
        (403, "ExpiredTokenException", True),
        (403, "AccessDeniedException:http://x", False),
        (400, "ExpiredTokenException", False),
    ]:
        assert which.is_refused(Head(status, {"x-amzn-errortype": kind})) is is_refused


def test_aws_signs_as_amazons_own_test_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-test-suite… (`get-vanilla`, `post-vanilla`)
    credentials = pytest.importorskip("botocore.credentials")
    from app.auth.upstream.aws import signing

    signed_at(monkeypatch, "20150830T123600Z")
    key = credentials.Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    for method, signature in [
        ("GET", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ]:
        request = HttpRequest(method, "https://example.amazonaws.com/", (), b"")
        sent = dict(signing(key, "service", "us-east-1")(request).headers)
        assert sent["authorization"] == (
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            f"SignedHeaders=host;x-amz-date, Signature={signature}"
        )


def test_aws_finds_credentials_profiles_and_regions(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("botocore")
    with pytest.raises(ValueError, match="no region"):
        made(provider("aws"))
    with pytest.raises(ValueError, match="no AWS credentials"):
        made(provider("aws", options={"region": "eu-west-1"}))
    file = tmp_path / "credentials"
    file.write_text("[prod]\naws_access_key_id = AKIDPROD\naws_secret_access_key = s\nregion = eu-north-1\n")
    bare.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    request = HttpRequest("POST", "https://x.test/", (), b"{}")
    for base_url, options, scope in [
        ("https://x.test", {"region": "eu-west-1"}, "eu-west-1/bedrock"),
        ("https://bedrock-mantle.us-west-2.api.aws/v1", {}, "us-west-2/bedrock-mantle"),
        ("https://vpce-1.bedrock-runtime.us-gov-west-1.vpce.amazonaws.com", {}, "us-gov-west-1/bedrock"),
    ]:
        which = made(provider("aws", base_url, identity="prod", options=options))
        assert f"/{scope}/aws4_request" in dict(which.apply(request).headers)["authorization"]
    answer = {
        "AccessKeyId": "AKIDTASK",
        "SecretAccessKey": "s",
        "Token": "t",
        "Expiration": "2099-01-01T00:00:00Z",
    }
    with server(answer) as (url, seen):
        bare.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/role")
        which = made(provider("aws", options={"region": "eu-west-1"}))
    assert "Credential=AKIDTASK/" in dict(which.apply(request).headers)["authorization"]
    assert seen[0][1] == "/role"


@functools.cache
def private_key() -> str:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def service_account(token_uri: str) -> dict[str, str]:
    return {
        "type": "service_account", "client_email": "sa@p.iam.gserviceaccount.com", "private_key": private_key(),
        "private_key_id": "k1", "token_uri": token_uri, "project_id": "p",
    }  # fmt: skip


def test_google_tokens(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("google.auth")
    pytest.importorskip("requests")
    file = tmp_path / "account.json"
    with server({"access_token": "ya29.made", "expires_in": 3599, "token_type": "Bearer"}) as (url, seen):
        file.write_text(json.dumps(service_account(f"{url}/token")))
        make = maker_for(provider("google", identity=str(file)), time.time)
        assert make is not None
        named = make()
        bare.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        found = made(provider("google"))
    request = HttpRequest("POST", "https://x.test/", (), b"{}")
    for each in (named, found):
        assert dict(each.apply(request).headers)["authorization"] == "Bearer ya29.made"
    assert 3200 < named.fresh_until - time.time() < 3300
    import jwt

    (assertion,) = parse_qs(seen[0][3])["assertion"]
    claims = jwt.decode(assertion, options={"verify_signature": False})
    assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    bare.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    with server({"error": "invalid_grant"}) as (url, _):
        file.write_text(json.dumps({**service_account(f"{url}/token"), "private_key": "junk"}))
        with pytest.raises(ValueError):
            made(provider("google", identity=str(file)))


def test_entra_tokens(bare: pytest.MonkeyPatch) -> None:
    pytest.importorskip("azure.identity")
    until = int(NOW) + 3600
    with server(
        {"access_token": "ey.made", "expires_on": str(until), "resource": "x", "token_type": "Bearer"}
    ) as (url, seen):
        bare.setenv("IDENTITY_ENDPOINT", f"{url}/msi")
        bare.setenv("IDENTITY_HEADER", "header-canary")
        which = made(provider("entra", "https://acme.openai.azure.com", identity="client-1"))
    request = HttpRequest("POST", "https://x.test/", (("api-key", "k"),), b"{}")
    assert dict(which.apply(request).headers)["authorization"] == "Bearer ey.made"
    assert (which.fresh_until, which.valid_until) == (NOW + 3300, NOW + 3590)
    query = parse_qs(urlsplit(seen[0][1]).query)
    assert query["resource"] == ["https://cognitiveservices.azure.com"]
    assert query["client_id"] == ["client-1"]


def test_what_a_token_of_entra_is_for() -> None:
    assert scope_for("https://a.openai.azure.us/openai/v1") == "https://cognitiveservices.azure.us/.default"
    assert scope_for("https://a.services.ai.azure.com") == "https://cognitiveservices.azure.com/.default"
