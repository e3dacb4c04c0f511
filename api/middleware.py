"""What every request passes: a limit on its size."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem
from omniforge.errors import UploadTooLarge


class BodyLimit:
    """Refuses bodies over a limit, by their declared size or as soon as they grow past it."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app, self._max = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._max:
            message = f"The request has {int(declared)} bytes; {self._max} are allowed."
            await problem(413, UploadTooLarge.code, message)(scope, receive, send)
            return
        await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max:
                raise UploadTooLarge(f"The request has more than the {self._max} bytes allowed.")
            return message

        return counted
