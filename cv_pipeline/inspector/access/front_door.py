"""Everything by which people get in, made once for the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Engine

from cv_pipeline.inspector.access.accounts import Account, Accounts
from cv_pipeline.inspector.access.address_throttle import AddressThrottle
from cv_pipeline.inspector.access.authenticator import AccountAuthenticator
from cv_pipeline.inspector.access.cookies import (
    drop_session_cookie,
    is_secure,
    session_cookie,
    set_session_cookie,
)
from cv_pipeline.inspector.access.image_accesses import ImageAccesses
from cv_pipeline.inspector.access.next_page import safe_next
from cv_pipeline.inspector.access.second_factor import SecondFactors
from cv_pipeline.inspector.access.secrets import new_secret, same
from cv_pipeline.inspector.access.sessions import Sessions
from cv_pipeline.inspector.access.settings import Settings
from cv_pipeline.inspector.access.single_sign_on import FLOW_SECONDS, Flow, NotLetIn, account_of
from cv_pipeline.inspector.access.throttle import Throttle
from cv_pipeline.inspector.access.tokens import Tokens
from cv_pipeline.inspector.problems import NotFound

if TYPE_CHECKING:
    from cv_pipeline.inspector.access.provider import Provider

CALLBACK = "/signin/provider/callback"
"""Where a browser comes back to from the provider of single sign-on."""
FLOW_COOKIE = "cvp_flow"


class FrontDoor:
    """Accounts, sessions and tokens, and the way in for the first one.

    Args:
        database: the inspector's own state.
        settings: of the front door.
    """

    def __init__(self, database: Engine, settings: Settings) -> None:
        self.settings = settings
        self.accounts = Accounts(database)
        self.sessions = Sessions(database, idle=settings.idle, longest=settings.longest)
        self.tokens = Tokens(database)
        self.second_factors = SecondFactors(database)
        self.throttle = Throttle(database)
        self.address_throttle = AddressThrottle()
        self.image_accesses = ImageAccesses()
        self._secure = settings.secure_cookies == "always"
        self._setup_key = new_secret()
        self._flow_key = new_secret()
        self._provider: Provider | None = None
        self.authenticator = AccountAuthenticator(
            database, sessions=self.sessions, tokens=self.tokens, secure=self._secure
        )

    @property
    def setup_path(self) -> str | None:
        """Address of the page that makes the first account; None when there is one."""
        return None if self.accounts.any() else f"/setup?key={self._setup_key}"

    def is_setup_key(self, key: str) -> bool:
        """Whether a key is that of :attr:`setup_path`, and there is still no account."""
        return same(key, self._setup_key) and not self.accounts.any()

    def known_name(self, name: str) -> str:
        """A name as the audit log may hold it: what is no account's may be somebody's password."""
        try:
            return self.accounts.get(name).name
        except NotFound:
            return "an unknown name"

    def has_password(self, name: str) -> bool:
        """Whether there is an account of a name that can sign in by password."""
        try:
            return self.accounts.get(name).has_password
        except NotFound:
            return False

    def revoke_all(self, name: str) -> dict[str, int]:
        """Revoke the sessions and tokens of an account; returns how many there were of each."""
        return {"sessions": self.sessions.end_all(name), "tokens": self.tokens.revoke_all(name)}

    def let_in(self, request: Request, response: Response, account: Account) -> None:
        """Begin a session, always a new one: what a browser brought along is ended.

        Args:
            request: who asks.
            response: gets the cookie.
            account: who they turned out to be.
        """
        before = session_cookie(request, secure=self._secure)
        if before is not None:
            self.sessions.end(before)
        secret = self.sessions.begin(
            account.name,
            address=address_of(request),
            agent=request.headers.get("user-agent", ""),
        )
        self.accounts.signed_in(account)
        set_session_cookie(
            request, response, secret, lasts=self.settings.longest, secure=self._secure
        )

    def let_out(self, request: Request, response: Response) -> None:
        """End the session of a browser."""
        secret = session_cookie(request, secure=self._secure)
        if secret is not None:
            self.sessions.end(secret)
        drop_session_cookie(response)

    def leave_for_provider(self, request: Request, next_page: str) -> Response:
        """Send a browser to the provider to sign in there.

        Raises:
            NotFound: none is configured.
            ProviderError: it does not answer.
        """
        flow = Flow.begin(safe_next(next_page))
        address = self._asked_provider().address(
            redirect=self._redirect(request),
            state=flow.state,
            nonce=flow.nonce,
            verifier=flow.verifier,
        )
        response = RedirectResponse(address, status_code=303)
        response.set_cookie(
            FLOW_COOKIE,
            flow.sealed(self._flow_key),
            max_age=FLOW_SECONDS,
            path=CALLBACK,
            secure=is_secure(request, secure=self._secure),
            httponly=True,
            samesite="lax",
        )
        return response

    def return_from_provider(
        self, request: Request, *, code: str, state: str
    ) -> tuple[Account, str]:
        """The account of who comes back from the provider, and the page that follows.

        Raises:
            NotLetIn: this browser did not begin it, or too long ago, or may not sign in here.
            ProviderError: the provider does not answer, or not as it should.
        """
        flow = Flow.opened(request.cookies.get(FLOW_COOKIE, ""), self._flow_key)
        if flow is None or not same(state, flow.state):
            raise NotLetIn("This sign-in was not begun here, or too long ago.", do="Begin again.")
        claims = self._asked_provider().claims(
            code, redirect=self._redirect(request), nonce=flow.nonce, verifier=flow.verifier
        )
        assert self.settings.single_sign_on is not None
        return account_of(self.accounts, claims, self.settings.single_sign_on), flow.next

    def _asked_provider(self) -> Provider:
        single = self.settings.single_sign_on
        if single is None:
            raise NotFound("There is no single sign-on here.", do="Sign in by password.")
        if self._provider is None:
            from cv_pipeline.inspector.access.provider import Provider

            secret = self.settings.client_secret
            self._provider = Provider(single, secret.get_secret_value() if secret else None)
        return self._provider

    def _redirect(self, request: Request) -> str:
        base = self.settings.public_url or f"{request.url.scheme}://{request.url.netloc}"
        return base + CALLBACK

    def close(self) -> None:
        """Give everything back."""
        self.authenticator.close()


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


async def current_front_door(request: Request) -> FrontDoor:
    """The front door of the application that answers."""
    found: FrontDoor = request.app.state.front_door
    return found


CurrentFrontDoor = Annotated[FrontDoor, Depends(current_front_door)]
"""A parameter of a view: accounts, sessions and tokens."""
