"""An issuer to try the other examples with, for this machine only: made-up people log in with a click."""

from __future__ import annotations

import threading

from bearerguard.testing import Issuer

AUDIENCE = "https://orders.example"

issuer = Issuer(audience=AUDIENCE)
issuer.register_client(
    "docs", *(f"http://{host}:8000/docs/oauth2-redirect" for host in ("127.0.0.1", "localhost"))
)

with issuer.serve(port=9000):
    print("This issuer runs until it is interrupted. In another terminal:\n")
    print(f"  export ISSUER={issuer.url} AUDIENCE={AUDIENCE} DOCS_CLIENT_ID=docs")
    print("  uvicorn --app-dir examples fastapi_app:app\n")
    print("Then open http://127.0.0.1:8000/docs and authorize.", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print()
