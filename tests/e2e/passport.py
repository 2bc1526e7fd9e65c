"""Signs and checks PASSporTs (RFC 8225) with openssl's own hands, as an independent second party.

    passport.py sign KEY.pem X5U CALLER CALLED IAT     prints the value of an Identity header
    passport.py check CERTIFICATE.pem VALUE            prints the claims, or ends with 1
"""
import base64
import json
import subprocess
import sys
import tempfile


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def integer(der, at):
    assert der[at] == 2
    length = der[at + 1]
    return int.from_bytes(der[at + 2 : at + 2 + length], "big"), at + 2 + length


def der_integer(value):
    data = value.to_bytes(33, "big").lstrip(b"\0") or b"\0"
    data = b"\0" + data if data[0] & 0x80 else data
    return bytes([2, len(data)]) + data


def sign(key, x5u, caller, called, iat):
    header = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": x5u}
    claims = {
        "attest": "A",
        "dest": {"tn": [called]},
        "iat": int(iat),
        "orig": {"tn": caller},
        "origid": "123e4567-e89b-12d3-a456-426655440000",
    }
    text = lambda data: encoded(json.dumps(data, separators=(",", ":"), sort_keys=True).encode())
    signed = text(header) + "." + text(claims)
    command = ["openssl", "dgst", "-sha256", "-sign", key]
    der = subprocess.run(command, input=signed.encode(), capture_output=True, check=True).stdout
    r, after = integer(der, 2)
    s, _ = integer(der, after)
    signature = encoded(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    print(f'{signed}.{signature};info=<{x5u}>;alg=ES256;ppt="shaken"')


def check(certificate, value):
    header, claims, signature = value.split(";")[0].split(".")
    raw = decoded(signature)
    assert len(raw) == 64
    body = der_integer(int.from_bytes(raw[:32], "big")) + der_integer(int.from_bytes(raw[32:], "big"))
    public = subprocess.run(
        ["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], capture_output=True, check=True
    ).stdout
    with tempfile.NamedTemporaryFile() as key, tempfile.NamedTemporaryFile() as der:
        key.write(public)
        key.flush()
        der.write(bytes([0x30, len(body)]) + body)
        der.flush()
        command = ["openssl", "dgst", "-sha256", "-verify", key.name, "-signature", der.name]
        subprocess.run(command, input=f"{header}.{claims}".encode(), check=True, stdout=subprocess.DEVNULL)
    print(json.dumps({**json.loads(decoded(header)), **json.loads(decoded(claims))}))


{"sign": sign, "check": check}[sys.argv[1]](*sys.argv[2:])
