"""A small OpenID provider that really signs people in: ``python openid_provider.py``.

It prints its port. Who signs in next, and what is wrong with the answer, is set at ``/next``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import socket
import time
from typing import Any
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET = "inspector", "the inspector's secret at the provider"
KEY = RSAKey.generate_key(2048, parameters={"kid": "one"})
WRONG_KEY = RSAKey.generate_key(2048, parameters={"kid": "one"})
_codes: dict[str, dict[str, str]] = {}
_tokens: dict[str, dict[str, Any]] = {}
_next: dict[str, Any] = {"claims": {"sub": "1"}, "wrong": ""}
_socket = socket.create_server(("127.0.0.1", 0))
ISSUER = f"http://127.0.0.1:{_socket.getsockname()[1]}"


async def discovery(_: Request) -> Response:
    names = {"authorization_endpoint": "authorize", "token_endpoint": "token"}
    names |= {"jwks_uri": "keys", "userinfo_endpoint": "userinfo"}
    told = {name: f"{ISSUER}/{path}" for name, path in names.items()}
    issuer = "https://another.example" if _next["wrong"] == "issuer" else ISSUER
    return JSONResponse({"issuer": issuer, **told})


async def keys(_: Request) -> Response:
    return JSONResponse({"keys": [KEY.as_dict(private=False)]})


async def authorize(request: Request) -> Response:
    asked = dict(request.query_params)
    assert asked["client_id"] == CLIENT
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert "openid" in asked["scope"].split()
    code = secrets.token_urlsafe()
    _codes[code] = asked
    answer = {"code": code, "state": asked["state"]}
    if _next["wrong"] == "denied":
        answer = {"error": "access_denied", "state": asked["state"]}
    return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}")


async def token(request: Request) -> Response:
    form = await request.form()
    basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
    asked = _codes.pop(str(form.get("code")), None)  # good once
    verifier = str(form.get("code_verifier", "")).encode()
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=").decode()
    if (
        request.headers.get("authorization") != f"Basic {basic}"
        or asked is None
        or asked["code_challenge"] != challenge
        or asked["redirect_uri"] != form.get("redirect_uri")
    ):
        return JSONResponse({"error": "invalid_grant"}, status_code=400)
    access_token = secrets.token_urlsafe()
    _tokens[access_token] = _next["claims"]
    answer = {"access_token": access_token, "token_type": "Bearer", "expires_in": 60}
    return JSONResponse(answer | {"id_token": _id_token(asked)})


def _id_token(asked: dict[str, str]) -> str:
    wrong, now = _next["wrong"], int(time.time())
    claims = {"iss": ISSUER, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": asked["nonce"]}
    claims["sub"] = _next["claims"]["sub"]
    changes: dict[str, dict[str, Any]] = {
        "nonce": {"nonce": "another"},
        "audience": {"aud": "another"},
        "party": {"aud": [CLIENT, "another"], "azp": "another"},
        "signer": {"iss": "https://another.example"},
        "expired": {"iat": now - 7200, "exp": now - 3600},
    }
    claims |= changes.get(wrong, {})
    if wrong == "unsigned":
        parts = ({"alg": "none"}, claims)
        texts = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts]
        return b".".join([*texts, b""]).decode()
    if wrong == "secret":
        return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET))
    key = WRONG_KEY if wrong == "key" else KEY
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)


async def userinfo(request: Request) -> Response:
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    claims = dict(_tokens[bearer])
    if _next["wrong"] == "userinfo":
        claims["sub"] = "2"
    return JSONResponse(claims)


async def set_next(request: Request) -> Response:
    _next.update(await request.json())
    return JSONResponse(_next)


app = Starlette(
    routes=[
        Route("/.well-known/openid-configuration", discovery),
        Route("/keys", keys),
        Route("/authorize", authorize),
        Route("/token", token, methods=["POST"]),
        Route("/userinfo", userinfo),
        Route("/next", set_next, methods=["POST"]),
    ]
)

if __name__ == "__main__":
    print(ISSUER, flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[_socket])
