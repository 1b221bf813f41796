"""Stands between a client and a PostgreSQL server, and knows where one message ends.

What is done at a message is told by an `Interest`; so a session can be ended, or its bytes held,
before a COMMIT, while it is carried out, or after it and before the client knows.
"""

import os
import select
import socket
import struct
import threading

CLIENT = "client"
SERVER = "server"
COMMIT = b"COMMIT\0"


class Interest:
    """What a stage wants to do with a session's messages. Called by the proxy's thread."""

    def from_client(self, session, kind, body):
        """Before a message goes to the server; whether it may go."""
        return True

    def sent(self, session, kind, body):
        """After a message has gone to the server."""

    def from_server(self, session, kind, body):
        """Before a message goes to the client; whether it may go."""
        return True


class Session:
    """One connection of a client, carried on to the server."""

    def __init__(self, client, server):
        self.sockets = {CLIENT: client, SERVER: server}
        self.buffers = {CLIENT: b"", SERVER: b""}
        self.started = False
        self.pid = None
        self.open = True

    def close(self):
        self.open = False
        for end in self.sockets.values():
            end.close()

    def messages(self, side):
        """Takes whole messages off the buffer: kind and body, as they came."""
        while True:
            typed = side == SERVER or self.started
            head = 5 if typed else 4
            buffer = self.buffers[side]
            if len(buffer) < head:
                return
            size = struct.unpack("!I", buffer[head - 4 : head])[0] + head - 4
            if len(buffer) < size:
                return
            self.buffers[side] = buffer[size:]
            if not typed:
                self.started = True
            yield buffer[:1] if typed else b"", buffer[head:size], buffer[:size]


class Proxy:
    """Listens on a socket of its own in `directory`."""

    def __init__(self, directory, server_directory):
        os.mkdir(directory)
        self.directory = directory
        self.server_path = os.path.join(server_directory, ".s.PGSQL.5432")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(directory, ".s.PGSQL.5432"))
        self.listener.listen(16)
        self.interest = Interest()
        self.error = None
        self.sessions = []
        self.wake, self.waker = socket.socketpair()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def close(self):
        self.waker.close()
        self.thread.join()
        for session in self.sessions:
            session.close()
        self.listener.close()
        self.wake.close()

    def run(self):
        while True:
            watched = {self.listener: None, self.wake: None}
            for session in self.sessions:
                for side, end in session.sockets.items():
                    watched[end] = (session, side)
            for ready in select.select(list(watched), [], [])[0]:
                if ready is self.wake:
                    return
                if ready is self.listener:
                    self.accept()
                else:
                    self.carry(*watched[ready])
            self.sessions = [session for session in self.sessions if session.open]

    def accept(self):
        client, _ = self.listener.accept()
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self.server_path)
        except OSError:  # The server is not there; the client sees its connection end.
            client.close()
            server.close()
            return
        self.sessions.append(Session(client, server))

    def carry(self, session, side):
        if not session.open:
            return
        try:
            got = session.sockets[side].recv(65536)
            session.buffers[side] += got
            for kind, body, whole in session.messages(side):
                self.pass_on(session, side, kind, body, whole)
                if not session.open:
                    return
            if not got:
                session.close()
        except OSError:
            session.close()
        except Exception as error:  # pylint: disable=broad-except; the stage is told.
            self.error = error
            session.close()

    def pass_on(self, session, side, kind, body, whole):
        if side == CLIENT:
            if self.interest.from_client(session, kind, body):
                session.sockets[SERVER].sendall(whole)
                self.interest.sent(session, kind, body)
            return
        if kind == b"K":
            session.pid = struct.unpack("!I", body[:4])[0]
        if self.interest.from_server(session, kind, body):
            session.sockets[CLIENT].sendall(whole)
