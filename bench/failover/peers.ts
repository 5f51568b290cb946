// HAProxy and nginx in front of three instances, as people set them up: HAProxy with a check each
// second and its defaults besides, HAProxy as an expert tunes it for instances that hang, nginx
// with its defaults. Each is allowed what it can do about a failure, and no POST is sent twice.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { accepts, end, freePort, installed, start, waitUntil } from "../shared/system.ts";
import { Origins } from "./origins.ts";
import type { Contender, Peer, SetUp } from "./scenario.ts";

/** Undefined when it is not installed. */
export async function startPeer(
  peer: Peer,
  folder: string,
  setUp: SetUp,
): Promise<Contender | undefined> {
  const program = installed(peer === "nginx" ? "nginx" : "haproxy");
  if (program === undefined) return undefined;
  const origins = await Origins.start(folder, setUp);
  if (peer === "nginx") return startNginx(program, { folder, setUp, origins });
  return startHaproxy(peer, program, { folder, setUp, origins });
}

interface Place {
  readonly folder: string;
  readonly setUp: SetUp;
  readonly origins: Origins;
}

/** What the two HAProxies differ in: checks, timeouts, what is tried again. */
const haproxyStyles = {
  haproxy: {
    server: "check inter 1s",
    options: `  timeout connect 5s
  timeout server 50s
  option redispatch`,
    backend: "",
  },
  "haproxy tuned": {
    server: "check inter 200ms fall 2 rise 2 observe layer7 error-limit 3 on-error mark-down",
    options: `  timeout connect 300ms
  timeout check 200ms
  timeout server 1s
  option redispatch 1
  retries 3`,
    backend: `  retry-on conn-failure empty-response response-timeout
  http-request disable-l7-retry if METH_POST
`,
  },
} as const;

async function startHaproxy(
  name: "haproxy" | "haproxy tuned",
  program: string,
  { folder, setUp, origins }: Place,
): Promise<Contender> {
  const port = await freePort();
  const file = join(folder, "haproxy.cfg");
  const socket = join(folder, "haproxy.sock");
  const style = haproxyStyles[name];
  const servers = origins.ports.map((origin, at) => {
    const backup = setUp.primary !== undefined && at > 0 ? " backup" : "";
    return `  server s${at} 127.0.0.1:${origin} ${style.server}${backup}`;
  });
  writeFileSync(
    file,
    `global
  stats socket ${socket} mode 600 level admin expose-fd listeners
  master-worker
defaults
  mode http
  timeout client 50s
${style.options}
frontend in
  bind 127.0.0.1:${port}
  default_backend origins
backend origins
  balance roundrobin
  option httpchk GET /healthz
${style.backend}${servers.join("\n")}
`,
  );
  const running = start([program, "-W", "-f", file, "-p", join(folder, "haproxy.pid")], {
    output: join(folder, "haproxy.log"),
  });
  await waitUntil("haproxy listens", 5_000, () => accepts(port));
  const say = (command: string) =>
    spawnSync(process.execPath, ["-e", sayScript, socket, command], { stdio: "ignore" });
  return {
    name,
    port,
    receivedFile: origins.receivedFile,
    instances: async () => origins.instances(),
    reload: async () => void running.child.kill("SIGUSR2"),
    drain: async (index) => void say(`set server origins/s${index} state drain`),
    undrain: async (index) => void say(`set server origins/s${index} state ready`),
    stop: async () => {
      await end(running);
      await origins.stop();
    },
  };
}

const sayScript = `const [, path, command] = process.argv;
const socket = require("net").connect(path, () => socket.end(command + "\\n"));
socket.resume();`;

async function startNginx(program: string, { folder, setUp, origins }: Place): Promise<Contender> {
  const port = await freePort();
  const file = join(folder, "nginx.conf");
  const write = (drained: number): void => {
    const servers = origins.ports.map((origin, at) => {
      const backup = setUp.primary !== undefined && at > 0 ? " backup" : "";
      return `    server 127.0.0.1:${origin}${backup}${at === drained ? " down" : ""};`;
    });
    writeFileSync(file, nginxConfiguration(folder, port, servers));
  };
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
    instances: async () => origins.instances(),
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

function nginxConfiguration(folder: string, port: number, servers: readonly string[]): string {
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
