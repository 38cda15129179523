"""Who may call the gateway: holders of API keys, browsers signed in with one, and visitors without a key."""

from starlette.requests import HTTPConnection

from gateway.settings import GatewaySettings
from serving.auth.guard import Access
from serving.auth.identity import Authenticator, Everybody, Identity, address_of, bearer_token
from serving.auth.keys import ANONYMOUS, KeysError, WatchedKeys
from serving.auth.limits import RequestLimits, TokenBuckets
from serving.auth.sessions import COOKIE, Sessions
from serving.roles import Role


class KeyHolders:
    """Identifies callers by the keys file."""

    def __init__(self, keys: WatchedKeys, sessions: Sessions, visitors: Role) -> None:
        """Set the parts.

        Args:
            keys: the keys file, read again when it changes.
            sessions: of browsers.
            visitors: the role of callers without a key.
        """
        self._keys = keys
        self._sessions = sessions
        self._visitors = visitors

    def identify(self, request: HTTPConnection) -> Identity:
        """Identify the caller by a key or a session; else, and with an expired session, the caller is a visitor."""
        address = address_of(request)
        token = bearer_token(request.headers)
        if token is not None:
            key = self._keys.current().find(token)
            if key is None:
                return Identity(ANONYMOUS, address, Role.OPEN, refused="this key is unknown or was revoked")
            return Identity(key.name, address, key.granted, collections=key.collections)
        digest = self._sessions.key_digest(request.cookies.get(COOKIE, ""))
        key = self._keys.current().with_digest(digest) if digest is not None else None
        if key is not None:
            return Identity(key.name, address, key.granted, collections=key.collections)
        return Identity(ANONYMOUS, address, self._visitors)


def role_of_strangers(settings: GatewaySettings) -> Role:
    """Return the role of callers without a key, if keys exist."""
    return Role.MATCH if settings.anonymous_role == "match" else Role.OPEN


def gateway_access(settings: GatewaySettings, sessions: Sessions) -> Access:
    """Build the access rules of the settings.

    Raises:
        KeysError: the keys file cannot be read.
    """
    # With keys, DNS rebinding gains a page nothing: it has neither a key nor a cookie.
    names_matter = bool(settings.allowed_hosts) or (settings.is_on_loopback and not settings.is_guarded)
    hosts = settings.allowed_hosts if names_matter else None
    if settings.keys_file is None:
        return Access(Everybody(), hosts, settings.cors_origins)
    limits = RequestLimits(
        TokenBuckets(settings.rate_per_minute), anonymous=TokenBuckets(settings.anonymous_rate_per_minute)
    )
    try:
        keys = WatchedKeys(settings.keys_file)
        authenticator: Authenticator = KeyHolders(keys, sessions, role_of_strangers(settings))
    except KeysError as exc:
        raise KeysError(
            f"{exc}. Create the first key with: python -m gateway.manage_keys create --name NAME --role admin"
        ) from exc
    return Access(authenticator, hosts, settings.cors_origins, limits)
