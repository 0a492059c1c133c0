"""An app on Authlib (PyPI): its OAuth2Session and its JOSE library, as a Flask or Django integration would use them.

Two steps, since a person's browser stands between them. Reads one JSON object from standard input, writes one to standard
output. `begin` makes the authorization URL; `finish` takes the address at which the browser came back, and does what an app
does with it: code, ID token against the key set, userinfo, refresh, revocation.
"""

import json
import os
import sys

# The broker listens on plain-http loopback in this test.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests  # noqa: E402
from authlib.common.security import generate_token  # noqa: E402
from authlib.integrations.requests_client import OAuth2Session  # noqa: E402
from joserfc import jwt  # noqa: E402
from joserfc.jwk import KeySet  # noqa: E402


def session(request, metadata):
    return OAuth2Session(
        request["client_id"],
        request["client_secret"],
        token_endpoint_auth_method="client_secret_basic",
        scope="openid profile email groups",
        redirect_uri=request["redirect_uri"],
        code_challenge_method="S256",
        token_endpoint=metadata["token_endpoint"],
        revocation_endpoint=metadata["revocation_endpoint"],
    )


def begin(request, metadata):
    verifier, nonce = generate_token(48), generate_token()
    url, state = session(request, metadata).create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
    )
    return {"url": url, "state": state, "verifier": verifier, "nonce": nonce}


def verified(token, request, metadata, nonce):
    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=10).json())
    decoded = jwt.decode(token, keys, algorithms=["RS256"])
    expected = {
        "iss": {"essential": True, "value": request["issuer"]},
        "aud": {"essential": True, "value": request["client_id"]},
        "exp": {"essential": True},
    }
    if nonce:
        expected["nonce"] = {"essential": True, "value": nonce}
    jwt.JWTClaimsRegistry(**expected).validate(decoded.claims)
    return decoded.claims


def finish(request, metadata):
    begun = request["begun"]
    app = session(request, metadata)
    app.state = begun["state"]
    token = dict(
        app.fetch_token(
            authorization_response=request["returned"], code_verifier=begun["verifier"], state=begun["state"]
        )
    )
    claims = verified(token["id_token"], request, metadata, begun["nonce"])
    userinfo = app.get(metadata["userinfo_endpoint"]).json()
    refreshed = dict(app.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"]))
    again = verified(refreshed["id_token"], request, metadata, None)
    revoked = app.revoke_token(
        metadata["revocation_endpoint"], token=refreshed["refresh_token"], token_type_hint="refresh_token"
    )
    after = requests.get(
        metadata["userinfo_endpoint"], headers={"Authorization": "Bearer " + refreshed["access_token"]}, timeout=10
    )
    return {
        "claims": claims,
        "userinfo": userinfo,
        "rotated": refreshed["refresh_token"] != token["refresh_token"],
        "same_person": again["sub"] == claims["sub"],
        "revoked": revoked.status_code,
        "after_revocation": after.status_code,
    }


def main():
    request = json.load(sys.stdin)
    metadata = requests.get(request["issuer"] + "/.well-known/openid-configuration", timeout=10).json()
    json.dump({"begin": begin, "finish": finish}[request["step"]](request, metadata), sys.stdout)


main()
