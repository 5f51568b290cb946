// When all instances are broken, retries must not become the outage: every instance takes the
// request and resets the connection. Attempts are counted where they arrive.

import { createServer } from "node:net";
import { type Figure, figure } from "../shared/figures.ts";
import { runLoad } from "./load.ts";
import { Nines } from "./nines.ts";

const INSTANCES = 3;
const BAR = 1.2;

export async function measureOutage(options: {
  readonly folder: string;
  readonly seconds: number;
}): Promise<readonly Figure[]> {
  const { folder, seconds } = options;
  console.log("total outage: all instances take requests and reset them");
  let attempts = 0;
  let isBroken = false;
  const servers = Array.from({ length: INSTANCES }, () =>
    createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", () => {
        attempts++;
        if (isBroken) socket.resetAndDestroy();
        else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      });
    }),
  );
  const ports = await Promise.all(
    servers.map(async (server) => {
      await new Promise<void>((resolve) => {
        server.listen(0, "127.0.0.1", resolve);
      });
      const address = server.address();
      return typeof address === "object" && address !== null ? address.port : 0;
    }),
  );
  // Connections are all that is checked, and they work: nobody is taken out for the checks' sake.
  const nines = await Nines.start(folder, { instances: ports, health: "{ tcp: true }" });
  try {
    await runLoad({ port: nines.port, path: "/", connections: 16, seconds: 1 }, folder);
    isBroken = true;
    const load = { port: nines.port, path: "/", connections: 64 };
    const figures: Figure[] = [];
    for (const phase of [
      { name: "total outage: attempts per request in its first two seconds", seconds: 2 },
      { name: "total outage: attempts per request", seconds },
    ]) {
      attempts = 0;
      const { requests, lost } = await runLoad({ ...load, seconds: phase.seconds }, folder);
      console.log(`  ${requests} requests, ${attempts} attempts, ${lost} connections lost`);
      const value = requests === 0 ? undefined : attempts / requests;
      figures.push(figure({ name: phase.name, value, unit: "x", bar: BAR }));
    }
    return figures;
  } finally {
    await nines.stop();
    for (const server of servers) server.close();
  }
}
