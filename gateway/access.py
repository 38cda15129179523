"""Who may reach the gateway: holders of API keys, browsers that have shown one, and visitors without."""

from starlette.requests import HTTPConnection

from gateway.settings import GatewaySettings
from serving.auth.guard import Access
from serving.auth.identity import Authenticator, Everybody, Identity, address_of, bearer_token
from serving.auth.keys import ANONYMOUS, KeysError, WatchedKeys
from serving.auth.limits import RequestLimits, TokenBuckets
from serving.auth.sessions import COOKIE, Sessions
from serving.roles import Role


class KeyHolders:
    """Tells callers apart by the keys file."""

    def __init__(self, keys: WatchedKeys, sessions: Sessions, visitors: Role) -> None:
        """Compose.

        Args:
            keys: as they are at each request.
            sessions: of browsers.
            visitors: what people without a key may do.
        """
        self._keys = keys
        self._sessions = sessions
        self._visitors = visitors

    def identify(self, request: HTTPConnection) -> Identity:
        """Whose key was sent, or whose session it is, or a visitor. A session that is over makes a visitor."""
        address = address_of(request)
        token = bearer_token(request.headers)
        if token is not None:
            key = self._keys.current().find(token)
            if key is None:
                return Identity(ANONYMOUS, address, Role.OPEN, refused="this key is unknown or was revoked")
            return Identity(key.name, address, key.granted)
        digest = self._sessions.key_digest(request.cookies.get(COOKIE, ""))
        key = self._keys.current().with_digest(digest) if digest is not None else None
        if key is not None:
            return Identity(key.name, address, key.granted)
        return Identity(ANONYMOUS, address, self._visitors)


def role_of_strangers(settings: GatewaySettings) -> Role:
    """What people without a key may do, where there are keys."""
    return Role.MATCH if settings.anonymous_role == "match" else Role.OPEN


def gateway_access(settings: GatewaySettings, sessions: Sessions) -> Access:
    """Build what the settings say.

    Raises:
        KeysError: the keys file cannot be read.
    """
    # With keys, a page that gives its own name this machine's address gains nothing: it has no key and no cookie.
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
