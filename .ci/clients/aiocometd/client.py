"""An unmodified client of CometD for Python. It prints a JSON line for each push, and disconnects when its standard input
ends.

    client.py URL USER TRANSPORT
"""

import asyncio
import json
import sys

import aiocometd_noloop as aiocometd
from aiocometd_noloop import transports


def print_line(line):
    print(json.dumps(line), flush=True)


async def main(url, user, transport):
    # The library has no option for headers of HTTP; an authentication extension may add them.
    class User(aiocometd.AuthExtension):
        async def incoming(self, payload, headers=None):
            pass

        async def outgoing(self, payload, headers):
            headers["gms_user"] = user

        async def authenticate(self):
            pass

    client = aiocometd.Client(url, aiocometd.ConnectionType(transport), auth=User())
    async with client:
        await client.subscribe("/_genesys")
        print_line({"subscribed": True})
        ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        receive = None
        while not ended.done():
            receive = receive or asyncio.ensure_future(client.receive())
            await asyncio.wait([receive, ended], return_when=asyncio.FIRST_COMPLETED)
            if receive.done():
                print_line({"push": receive.result()["data"]})
                receive = None
        if receive:
            receive.cancel()
    print_line({"disconnected": True})


asyncio.run(main(*sys.argv[1:]))
