// What Nines is compared with, each on one core with one thread, in front of the same origin: as
// people set it up for plain HTTP/1.1 with kept connections, telling the origin who the client is.

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bunProgram } from "../shared/install.ts";
import {
  accepts,
  end,
  freePort,
  installed,
  start,
  type Started,
  waitUntil,
} from "../shared/system.ts";

export interface Contender {
  readonly name: string;
  readonly port: number;
  /** Where it passes on bytes unread; absent where it does not. */
  readonly tcpPort?: number;
  /** The one process whose CPU is the figure. */
  readonly pid: number;
  /** Others that belong to it, by what they are; theirs is told beside it. */
  readonly others: Readonly<Record<string, number>>;
  /** What it says of its processes, for when one has ended that was measured. */
  readonly workerLines?: readonly string[];
  stop(): Promise<void>;
}

export interface Origin {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/**
 * nginx where installed, since the origin must not be what is measured; else a small one of ours.
 */
export async function startOrigin(folder: string, largeBytes: number): Promise<Origin> {
  const port = await freePort();
  const nginx = installed("nginx");
  const place = join(folder, "origin");
  mkdirSync(place);
  writeFileSync(join(place, "large"), Buffer.alloc(largeBytes, "x"));
  if (nginx === undefined) return startOwnOrigin(largeBytes);
  const server = `server {
    listen 127.0.0.1:${port} backlog=4096;
    root ${place};
    location = / { default_type text/plain; return 200 "hello world\\n"; }
  }`;
  const started = await startNginxWith(nginx, place, server);
  await waitUntil("the origin listens", 5000, () => accepts(port));
  return { name: "nginx", port, pid: await workerOf(started.pid), stop: () => end(started) };
}

/** One that speaks WebSockets, too. */
export async function startOwnOrigin(largeBytes: number): Promise<Origin> {
  const port = await freePort();
  const started = start([process.execPath, join(import.meta.dirname, "origin.js")], {
    environment: { PORT: String(port), LARGE_BYTES: String(largeBytes) },
  });
  await waitUntil("the origin listens", 5000, () => accepts(port));
  return { name: "our own origin", port, pid: started.pid, stop: () => end(started) };
}

export async function startHaproxy(folder: string, origin: number): Promise<Contender | undefined> {
  const program = installed("haproxy");
  if (program === undefined) return undefined;
  const [port, tcpPort] = [await freePort(), await freePort()];
  const file = join(folder, "haproxy.cfg");
  writeFileSync(
    file,
    `global
  nbthread 1
  maxconn 9900
defaults
  mode http
  maxconn 9900
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend in
  option forwardfor
  bind 127.0.0.1:${port}
  default_backend origin
backend origin
  server only 127.0.0.1:${origin}
listen bytes
  mode tcp
  bind 127.0.0.1:${tcpPort}
  server only 127.0.0.1:${origin}
`,
  );
  const started = start([program, "-db", "-f", file], { output: join(folder, "haproxy.log") });
  await waitUntil("haproxy listens", 5000, () => accepts(port));
  return {
    name: "haproxy",
    port,
    tcpPort,
    pid: started.pid,
    others: {},
    stop: () => end(started),
  };
}

export async function startNginx(folder: string, origin: number): Promise<Contender | undefined> {
  const program = installed("nginx");
  if (program === undefined) return undefined;
  const port = await freePort();
  const place = join(folder, "nginx");
  mkdirSync(place);
  const server = `upstream origin { server 127.0.0.1:${origin}; keepalive 256; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_pass http://origin;
    }
  }`;
  const started = await startNginxWith(program, place, server);
  await waitUntil("nginx listens", 5000, () => accepts(port));
  const pid = await workerOf(started.pid);
  return { name: "nginx", port, pid, others: { master: started.pid }, stop: () => end(started) };
}

async function startNginxWith(program: string, place: string, server: string): Promise<Started> {
  const file = join(place, "nginx.conf");
  // Started by root, its workers would become somebody who may not read the bench's folder.
  const asRoot = process.getuid?.() === 0 ? "user root;\n" : "";
  writeFileSync(
    file,
    `${asRoot}worker_processes 1;
daemon off;
pid ${place}/nginx.pid;
error_log ${place}/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path ${place}/body;
  proxy_temp_path ${place}/proxy;
  fastcgi_temp_path ${place}/fastcgi;
  uwsgi_temp_path ${place}/uwsgi;
  scgi_temp_path ${place}/scgi;
  ${server}
}
`,
  );
  return start([program, "-c", file, "-p", place], { output: join(place, "output") });
}

/** The single child of an nginx master. */
async function workerOf(pid: number): Promise<number> {
  let child = 0;
  await waitUntil("nginx has its worker", 5000, () => {
    const children = spawnSync("ps", ["-o", "pid=", "--ppid", String(pid)], { encoding: "utf8" });
    child = Number(children.stdout.trim().split("\n")[0]);
    return child > 0;
  });
  return child;
}

/** The engine of ours on Bun's sockets (bun-worker.ts), by the table of the Nines beside it. */
export async function startBun(table: string): Promise<Contender | undefined> {
  const program = bunProgram();
  if (program === undefined) return undefined;
  return startProxy("bun", [program, join(import.meta.dirname, "bun-worker.js")], { TABLE: table });
}

/** Proxies for Node (node-proxy.ts); those that could not be installed are left out. */
export async function startNodeProxy(name: string, origin: number): Promise<Contender | undefined> {
  const command = [process.execPath, join(import.meta.dirname, "node-proxy.js")];
  return startProxy(name, command, { KIND: name, ORIGIN_PORT: String(origin) });
}

async function startProxy(
  name: string,
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Contender | undefined> {
  const port = await freePort();
  const started = start(command, { environment: { ...environment, PORT: String(port) } });
  let hasEnded = false;
  void started.ended.then(() => {
    hasEnded = true;
  });
  await waitUntil(`${name} listens`, 5000, async () => hasEnded || (await accepts(port)));
  if (hasEnded) return undefined;
  return { name, port, pid: started.pid, others: {}, stop: () => end(started) };
}
