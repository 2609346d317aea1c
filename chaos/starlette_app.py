"""The protected API of a chaos run under uvicorn: `AuthenticateMiddleware` in Starlette, keys discovered."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bearerguard.starlette import AuthenticateMiddleware
from chaos.accelerated_clock import AcceleratedClock
from chaos.loop_stall import LoopStall, WatchedEventLoop

loop_stall = LoopStall()


@asynccontextmanager
async def sampled(app: Starlette) -> AsyncIterator[None]:
    """Sample the loop for as long as the server runs."""
    gc.collect()
    gc.freeze()  # what start-up left is not to be collected anew under load: that is not what is measured
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WatchedEventLoop)
    sampling = asyncio.create_task(loop_stall.sample(loop.watched))
    yield
    sampling.cancel()


async def subject(request: Request) -> JSONResponse:
    """Whose token this is."""
    return JSONResponse({"sub": request.scope["oauth2-claims"]["sub"]})


async def measured(request: Request) -> JSONResponse:
    """What the sampling task measured since it was last asked."""
    return JSONResponse(loop_stall.take())


app = Starlette(
    routes=[Route("/", subject), Route("/measured", measured)],
    middleware=[
        Middleware(
            AuthenticateMiddleware,
            providers={
                "chaos": {
                    "issuer": os.environ["CHAOS_ISSUER"],
                    "audience": "https://api.test",
                    "http_options": {"timeout": float(os.environ["CHAOS_TIMEOUT"])},
                }
            },
            public_paths={"/measured"},
            clock=AcceleratedClock(),
        )
    ],
    lifespan=sampled,
)
