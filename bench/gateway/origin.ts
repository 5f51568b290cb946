// An origin of the gateway bench: raw sockets, constant answers. `/` is small, `/large` is
// LARGE_BYTES; a WebSocket's bytes come back as they are. It reads no more of a request than where
// it ends, and knows no bodies.

import { createServer, type Socket } from "node:net";

const large = Buffer.alloc(Number(process.env["LARGE_BYTES"] ?? "1048576"), "x");
const small = Buffer.from(answer(12) + "hello world\n");
const largeHead = Buffer.from(answer(large.length));
const upgraded = "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

function answer(byteCount: number): string {
  return `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${byteCount}\r\n\r\n`;
}

function serve(socket: Socket): void {
  let received = "";
  let isTunnel = false;
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  socket.on("data", (bytes: Buffer) => {
    if (isTunnel) return void socket.write(bytes);
    received += bytes.toString("latin1");
    for (let end = received.indexOf("\r\n\r\n"); end >= 0; end = received.indexOf("\r\n\r\n")) {
      const head = received.slice(0, end);
      received = received.slice(end + 4);
      if (/^upgrade: websocket/im.test(head)) {
        isTunnel = true;
        socket.write(upgraded);
        return;
      }
      const isLarge = head.startsWith("GET /large");
      socket.write(isLarge ? largeHead : small);
      if (isLarge) socket.write(large);
    }
  });
}

createServer(serve).listen({
  port: Number(process.env["PORT"]),
  host: "127.0.0.1",
  backlog: 4096,
});
