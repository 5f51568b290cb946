// HAProxy and nginx in front of the same three origins, as people set them up: health checks at
// their defaults, a retry on another server for what may be repeated. They do not supervise: the
// bench starts a killed origin again after one second, as systemd with Restart=always would.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { accepts, end, freePort, start, type Started, waitUntil } from "../shared/system.ts";

const INSTANCES = 3;
const originFile = join(import.meta.dirname, "origin.js");

/** A load balancer under test, with its three instances. */
export interface Contender {
  readonly name: string;
  readonly port: number;
  /** Kills the instance with this index (-9); somebody starts it again. Returns its pid. */
  killInstance(index: number): Promise<number>;
  /** The file prefix in which instances note the POSTs that they received. */
  readonly receivedFile: string;
  reload(): Promise<void>;
  drain(index: number): Promise<void>;
  undrain(index: number): Promise<void>;
  stop(): Promise<void>;
}

/** Three origins that are started again one second after they end. */
export class Origins {
  readonly ports: readonly number[];
  readonly receivedFile: string;
  readonly #running: Started[] = [];
  #stopping = false;

  private constructor(ports: readonly number[], folder: string) {
    this.ports = ports;
    this.receivedFile = join(folder, "received");
  }

  static async start(folder: string): Promise<Origins> {
    const ports: number[] = [];
    while (ports.length < INSTANCES) ports.push(await freePort());
    const origins = new Origins(ports, folder);
    for (const index of ports.keys()) origins.#start(index);
    for (const port of ports) await waitUntil(`origin ${port} listens`, 5_000, () => accepts(port));
    return origins;
  }

  #start(index: number): void {
    const started = start([process.execPath, originFile], {
      environment: { PORT: String(this.ports[index]), RECEIVED_FILE: this.receivedFile },
    });
    this.#running[index] = started;
    started.child.once("close", () => {
      if (!this.#stopping) setTimeout(() => this.#start(index), 1_000);
    });
  }

  kill(index: number): number {
    const pid = this.#running[index]?.pid ?? 0;
    process.kill(pid, "SIGKILL");
    return pid;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#running.map(end));
  }
}

export async function startHaproxy(program: string, folder: string): Promise<Contender> {
  const origins = await Origins.start(folder);
  const port = await freePort();
  const file = join(folder, "haproxy.cfg");
  const socket = join(folder, "haproxy.sock");
  const servers = origins.ports.map((origin, at) => `  server s${at} 127.0.0.1:${origin} check`);
  writeFileSync(
    file,
    `global
  stats socket ${socket} mode 600 level admin expose-fd listeners
  master-worker
defaults
  mode http
  timeout connect 5s
  timeout client 50s
  timeout server 50s
  option redispatch
frontend in
  bind 127.0.0.1:${port}
  default_backend origins
backend origins
  balance roundrobin
  option httpchk GET /healthz
${servers.join("\n")}
`,
  );
  const running = start([program, "-W", "-f", file, "-p", join(folder, "haproxy.pid")], {
    output: join(folder, "haproxy.log"),
  });
  await waitUntil("haproxy listens", 5_000, () => accepts(port));
  const say = (command: string) =>
    spawnSync(process.execPath, ["-e", sayScript, socket, command], { stdio: "ignore" });
  return {
    name: "haproxy",
    port,
    receivedFile: origins.receivedFile,
    killInstance: async (index) => origins.kill(index),
    reload: async () => void running.child.kill("SIGUSR2"),
    drain: async (index) => void say(`set server origins/s${index} state drain`),
    undrain: async (index) => void say(`set server origins/s${index} state ready`),
    stop: async () => {
      await end(running);
      await origins.stop();
    },
  };
}

const sayScript = `const s=require("net").connect(process.argv[1],()=>s.end(process.argv[2]+"\\n"));s.resume()`;

export async function startNginx(program: string, folder: string): Promise<Contender> {
  const origins = await Origins.start(folder);
  const port = await freePort();
  const file = join(folder, "nginx.conf");
  const write = (drained: number): void =>
    writeFileSync(file, nginxConfiguration(folder, port, origins.ports, drained));
  write(-1);
  const running = start([program, "-c", file, "-p", folder, "-g", "daemon off;"], {
    output: join(folder, "nginx.log"),
  });
  await waitUntil("nginx listens", 5_000, () => accepts(port));
  const reload = async () => void running.child.kill("SIGHUP");
  return {
    name: "nginx",
    port,
    receivedFile: origins.receivedFile,
    killInstance: async (index) => origins.kill(index),
    reload,
    drain: async (index) => {
      write(index);
      await reload();
    },
    undrain: async () => {
      write(-1);
      await reload();
    },
    stop: async () => {
      await end(running);
      await origins.stop();
    },
  };
}

function nginxConfiguration(
  folder: string,
  port: number,
  origins: readonly number[],
  drained: number,
): string {
  const servers = origins.map(
    (origin, at) => `    server 127.0.0.1:${origin}${at === drained ? " down" : ""};`,
  );
  return `worker_processes 2;
pid ${folder}/nginx.pid;
error_log ${folder}/nginx-error.log;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  upstream origins {
${servers.join("\n")}
    keepalive 32;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_pass http://origins;
    }
  }
}
`;
}
