#!/usr/bin/env python3
"""Telephones that register over TLS, each on a connection of its own, and stay: USERS of them, named u0, u1 ... under one
password. Prints "registered" when all are, and goes when its standard input ends.

    registers.py ADDRESS PORT AUTHORITY.pem PASSWORD USERS
"""

import asyncio
import hashlib
import re
import resource
import ssl
import sys

# Handshakes that are under way at once: as many as would come from a building whose power is back.
AT_ONCE = 64


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


async def answer(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = re.search(r"(?im)^(?:content-length|l)\s*:\s*(\d+)", head)
    if length and int(length[1]):
        await reader.readexactly(int(length[1]))
    return head


async def register(number, address, port, context, password):
    reader, writer = await asyncio.open_connection(address, port, ssl=context)
    own = writer.get_extra_info("sockname")
    uri, name = "sip:%s" % address, "u%d" % number
    authorization = ""
    for cseq in (1, 2):
        writer.write((
            "REGISTER %s SIP/2.0\r\nVia: SIP/2.0/TLS %s:%d;branch=z9hG4bK%d-%d;rport\r\nMax-Forwards: 70\r\n"
            "From: <sip:%s@%s>;tag=%d\r\nTo: <sip:%s@%s>\r\nCall-ID: %d@%s\r\nCSeq: %d REGISTER\r\n"
            "Contact: <sip:%s@%s:%d;transport=tls>\r\nExpires: 3600\r\n%sContent-Length: 0\r\n\r\n"
            % (uri, *own, number, cseq, name, address, number, name, address, number, own[0], cseq, name, *own,
               authorization)).encode())
        head = await answer(reader)
        if " 200 " in head.split("\r\n")[0]:
            return writer
        realm, nonce = (re.search(r'%s="([^"]*)"' % word, head)[1] for word in ("realm", "nonce"))
        first, second = md5("%s:%s:%s" % (name, realm, password)), md5("REGISTER:" + uri)
        proof = md5("%s:%s:00000001:c:auth:%s" % (first, nonce, second))
        authorization = (
            'Authorization: Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=MD5, '
            'qop=auth, nc=00000001, cnonce="c"\r\n' % (name, realm, nonce, uri, proof))
    raise SystemExit("not registered: " + head)


async def main(address, port, authority, password, users):
    context = ssl.create_default_context(cafile=authority)
    context.check_hostname = False
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number):
        async with gate:
            return await register(number, address, int(port), context, password)

    kept = await asyncio.gather(*(one(number) for number in range(int(users))))
    print("registered", len(kept), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
asyncio.run(main(*sys.argv[1:]))
