"""A server of @grpc/grpc-js, and where that is."""
import os
import subprocess

from .gatehouse import TOP

MODULES = TOP / "t/npm/node_modules"
# grpc-js must not look for proxies
ENV = {**os.environ, "NODE_PATH": str(MODULES),
       "no_grpc_proxy": "localhost,127.0.0.1"}


class Server:
    """t/lib/grpc_server.js; its address, and the lines that it said."""

    def __init__(self, pem=None):
        args = [pem, pem.with_suffix(".key")] if pem else ["plain"]
        self.process = subprocess.Popen(
            ["node", *map(str, [TOP / "t/lib/grpc_server.js", *args])],
            env=ENV, stdout=subprocess.PIPE, text=True)
        port = int(self.process.stdout.readline())
        self.address = f"https://localhost:{port}" if pem else \
            f"127.0.0.1:{port}"

    def line(self):
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.kill()
        self.process.communicate()
