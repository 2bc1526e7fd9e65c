"""TLS in front of a server that has none, as a terminator beside a carrier's message centre does it: what comes encrypted
goes on plain to a port of this machine. Prints "ready", and each connection's protocol.

    tls_front.py ADDRESS PORT CERTIFICATE KEY PLAIN_PORT
"""

import asyncio
import ssl
import sys

ADDRESS, PORT, CERTIFICATE, KEY, PLAIN_PORT = sys.argv[1:]


async def carry(reader, writer):
    try:
        while part := await reader.read(4096):
            writer.write(part)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def connected(reader, writer):
    print(writer.get_extra_info("ssl_object").version(), flush=True)
    plain_reader, plain_writer = await asyncio.open_connection("127.0.0.1", int(PLAIN_PORT))
    await asyncio.gather(carry(reader, plain_writer), carry(plain_reader, writer))


async def serve():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE, KEY)
    server = await asyncio.start_server(connected, ADDRESS, int(PORT), ssl=context)
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(serve())
