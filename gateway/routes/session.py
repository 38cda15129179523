"""``/session``: a browser signs in with a key once, and has a cookie from then on.

Images on a page cannot send an ``Authorization`` header, and a key that a script stores can be read by a hostile
script. The cookie is not readable by scripts (HttpOnly) and is not sent with requests from other sites (SameSite).
"""

from pathlib import Path
from typing import Annotated

from fastapi import Path as PathParameter
from fastapi import Query, Request, Response

from contracts.session import KEY_NAME_PATTERN, CreatedKey, KeyBody, KeysBody, NewKey, SessionBody
from gateway.dependencies import Gateway
from gateway.routes.forwarding import GatewayDependency
from serving.audit import AuditLog
from serving.auth import keys as keys_file
from serving.auth.identity import Identity, bearer_token
from serving.auth.keys import KeyRefused, digest_of, read_keys
from serving.auth.sessions import COOKIE, HOURS_S, REMEMBERED_S, Sessions
from serving.errors import Unauthorized
from serving.openapi import error_answers
from serving.path_prefix import link
from serving.roles import Role, requires
from serving.routers import Router

router = Router(prefix="/session", tags=["session"])

KeyName = Annotated[str, PathParameter(pattern=KEY_NAME_PATTERN)]


@router.get("", summary="The caller's key, its role and its collections")
@requires(Role.OPEN)
async def show_session(request: Request) -> SessionBody:
    """Return the name, role and collections of the caller; without keys, every caller is an admin."""
    identity: Identity = request.state.identity
    name = None if identity.is_anonymous else identity.name
    return SessionBody(name=name, role=identity.role.word, collections=identity.collections)


@router.get("/keys", summary="Names, roles and collections of all keys")
@requires(Role.ADMIN)
def list_keys(gateway: GatewayDependency) -> KeysBody:
    """List names, roles and collections of the keys. The keys themselves are not stored."""
    path = gateway.settings.keys_file
    if path is None:
        return KeysBody(guarded=False)
    keys = [
        KeyBody(name=key.name, role=key.role, collections=key.collections, created=key.created.isoformat())
        for key in read_keys(path).keys
    ]
    return KeysBody(guarded=True, keys=keys)


@router.post("/keys", status_code=201, summary="Create a key", responses=error_answers(401, 403, 409, 422, 429, 503))
@requires(Role.ADMIN)
def create_key(new: NewKey, response: Response, gateway: GatewayDependency) -> CreatedKey:
    """Create a key and return it. It is not stored, so this is the only time that it is shown."""
    restriction = {"collections": new.collections} if new.collections else {}
    with AuditLog(gateway.settings.audit_file).change("key.create", new.name, role=new.role, **restriction):
        key = keys_file.create_key(_path_of(gateway), new.name, new.role, new.collections)
    response.headers["Cache-Control"] = "no-store"
    return CreatedKey(name=new.name, role=new.role, collections=new.collections, key=key)


@router.delete(
    "/keys/{name}", status_code=204, summary="Revoke a key", responses=error_answers(401, 403, 404, 409, 422, 429, 503)
)
@requires(Role.ADMIN)
def revoke_key(name: KeyName, gateway: GatewayDependency) -> None:
    """Revoke a key. It is refused from the next request on; the last admin's key cannot be revoked here."""
    with AuditLog(gateway.settings.audit_file).change("key.revoke", name):
        keys_file.revoke_key(_path_of(gateway), name, keep_an_admin=True)


def _path_of(gateway: Gateway) -> Path:
    if gateway.settings.keys_file is None:
        raise KeyRefused("this server needs no keys; set GATEWAY_KEYS_FILE to use some")
    return gateway.settings.keys_file


@router.post(
    "",
    summary="Sign a browser in",
    description="Send the key as `Authorization: Bearer`. The answer sets a cookie that scripts cannot read.",
    responses=error_answers(401, 422, 429),
)
@requires(Role.OPEN)
async def begin_session(
    request: Request,
    response: Response,
    remember: Annotated[bool, Query(description="true: for 30 days; false: until the browser is closed")] = False,
) -> SessionBody:
    """Check the key and set a session cookie."""
    identity: Identity = request.state.identity
    sessions: Sessions = request.app.state.sessions
    key = bearer_token(request.headers)
    if identity.refused is not None or key is None:
        raise Unauthorized(identity.refused or "no key was sent")
    if not identity.is_anonymous:
        sessions.end(request.cookies.get(COOKIE, ""))
        response.set_cookie(
            COOKIE,
            sessions.begin(digest_of(key), lasting_s=REMEMBERED_S if remember else HOURS_S),
            max_age=int(REMEMBERED_S) if remember else None,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
            path=link("/"),
        )
    return await show_session(request)


@router.delete("", status_code=204, summary="Sign a browser out")
@requires(Role.OPEN)
async def end_session(request: Request, response: Response) -> None:
    """End the session and delete its cookie."""
    sessions: Sessions = request.app.state.sessions
    sessions.end(request.cookies.get(COOKIE, ""))
    response.delete_cookie(
        COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https", path=link("/")
    )
