// The origin of the gateway bench where nginx is not installed: raw sockets, constant answers. `/` is
// small, `/large` is LARGE_BYTES. It reads no more of a request than where it ends.

import { createServer, type Socket } from "node:net";

const large = Buffer.alloc(Number(process.env["LARGE_BYTES"] ?? "1048576"), "x");
const small = Buffer.from(answer(12) + "hello world\n");
const largeHead = Buffer.from(answer(large.length));

function answer(byteCount: number): string {
  return `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${byteCount}\r\n\r\n`;
}

function serve(socket: Socket): void {
  let received = "";
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  socket.on("data", (bytes: Buffer) => {
    received += bytes.toString("latin1");
    for (let end = received.indexOf("\r\n\r\n"); end >= 0; end = received.indexOf("\r\n\r\n")) {
      const isLarge = received.startsWith("GET /large");
      received = received.slice(end + 4);
      socket.write(isLarge ? largeHead : small);
      if (isLarge) socket.write(large);
    }
  });
}

createServer(serve).listen(Number(process.env["PORT"]), "127.0.0.1");
