"""Google: access tokens of a service account, from wherever google-auth finds one.

https://cloud.google.com/docs/authentication/application-default-credentials.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC

from app.auth.upstream.made import Made, Maker, bearer
from app.config.activation import ActiveProvider

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
UNKNOWN_LIFETIME = 600.0
"""Seconds that a token without a stated end is used: instances give none that holds for less."""


def maker(provider: ActiveProvider, wall: Callable[[], float]) -> Maker:
    """Give what gets tokens; `identity` is a service account's key file. Raises what google-auth does."""

    def make() -> Made:
        import google.auth
        from google.auth.transport.requests import Request
        from google.oauth2.service_account import Credentials

        if provider.identity:
            found = Credentials.from_service_account_file(  # type: ignore[no-untyped-call]  # it tells no types
                provider.identity, scopes=[SCOPE]
            )
        else:
            found, _project = google.auth.default(scopes=[SCOPE])
        found.refresh(Request())
        now = wall()
        # It gives UTC without saying so.
        until = found.expiry.replace(tzinfo=UTC).timestamp() if found.expiry else now + UNKNOWN_LIFETIME
        project = getattr(found, "quota_project_id", None)
        return bearer(str(found.token), now, until, **({"x_goog_user_project": project} if project else {}))

    return make
