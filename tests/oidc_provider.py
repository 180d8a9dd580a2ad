"""An OpenID Connect provider on this machine, for tests: it signs in `person` without asking."""

import base64
import hashlib
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "studio", "a secret of the client"


class Provider:
    """`person` are the claims about who signs in; what they override makes a wrong token. `key` signs."""

    def __init__(self, port=0):
        self.published = self.key = RSAKey.generate_key(2048, {"kid": "first", "use": "sig", "alg": "RS256"})
        self.person = {}
        self.codes = {}
        self.fetched = []  # paths, in order
        self.server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), {"provider": self}))
        self.issuer = f"http://localhost:{self.server.server_port}"

    def token(self, nonce=None, **claims):
        now = int(time.time())
        known = {"iss": self.issuer, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 3600}
        known |= {"nonce": nonce} if nonce else {}
        header = {"alg": "RS256", "kid": self.key.kid}
        return jwt.encode(header, known | self.person | claims, self.key)

    def secrets(self):
        """The text of the dashboard's secrets.toml."""
        return (
            "[auth]\n"
            'redirect_uri = "http://localhost:{port}/oauth2callback"\n'
            f'cookie_secret = "{"c" * 32}"\nclient_id = "{CLIENT}"\nclient_secret = "{SECRET}"\n'
            f'server_metadata_url = "{self.issuer}/.well-known/openid-configuration"\n'
        )


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self):
        own, query = self.provider, {name: texts[0] for name, texts in parse_qs(urlsplit(self.path).query).items()}
        path = urlsplit(self.path).path
        own.fetched.append(path)
        if path == "/.well-known/openid-configuration":
            paths = {
                "authorization_endpoint": "authorize",
                "token_endpoint": "token",
                "jwks_uri": "jwks",
                "end_session_endpoint": "logout",
            }
            found = {name: f"{own.issuer}/{place}" for name, place in paths.items()}
            self._json(
                found
                | {
                    "issuer": own.issuer,
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "code_challenge_methods_supported": ["S256"],
                }
            )
        elif path == "/jwks":
            self._json({"keys": [own.published.as_dict(private=False)]})
        elif path == "/authorize":
            own.codes["code"] = query
            self._redirect(f"{query['redirect_uri']}?{urlencode({'code': 'code', 'state': query['state']})}")
        elif path == "/logout":
            self._redirect(query["post_logout_redirect_uri"])
        else:
            self.send_error(404)

    def do_POST(self):
        own = self.provider
        own.fetched.append(self.path)
        sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        asked = own.codes.pop(sent["code"][0])
        challenge = base64.urlsafe_b64encode(hashlib.sha256(sent["code_verifier"][0].encode()).digest())
        assert asked["code_challenge"] == challenge.decode().rstrip("=")
        known = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        assert self.headers["Authorization"] == f"Basic {known}"
        token = own.token(asked["nonce"])
        self._json({"access_token": "opaque", "token_type": "Bearer", "id_token": token})

    def _json(self, value):
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _redirect(self, address):
        self.send_response(302)
        self.send_header("Location", address)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@contextmanager
def provider(port=0):
    """Run a provider; yield it."""
    made = Provider(port)
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
