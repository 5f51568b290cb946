// What a route is called in metrics and logs: its conditions, written as a request line would be.
//
//   shop.example.com/api/*      everything below /api of one host
//   POST /upload                one method, one whole path
//   /* x-beta                   requests that have a field, whatever its value
//   tcp 0.0.0.0:5432            the connections of a tcp listener
//
// The name is made of the table alone, never of what a client sends: there are as many names as
// routes. Values of header conditions stay out, since one may be a key that somebody has; routes
// that differ in nothing else are numbered. A route keeps its name while its conditions stay.

import type { RouteMatch, RoutingTable } from "./table.ts";

/** By route of the table; no two are the same. */
export function nameRoutes(table: Pick<RoutingTable, "routes" | "listeners">): readonly string[] {
  const listened = new Map(
    table.listeners.flatMap(({ protocol, tcpRoute, host, port }) => {
      const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
      return protocol === "tcp" && tcpRoute !== undefined ? [[tcpRoute, `tcp ${address}`]] : [];
    }),
  );
  const used = new Set<string>();
  return table.routes.map(({ match }, index) => {
    const name = listened.get(index) ?? nameOf(match);
    let unique = name;
    for (let count = 2; used.has(unique); count++) unique = `${name} (${count})`;
    used.add(unique);
    return unique;
  });
}

function nameOf({ method, host = "", path, exactPath, headers }: RouteMatch): string {
  const below = `${path === undefined ? "" : path.replace(/\/+$/, "")}/*`;
  const place = `${host}${exactPath ?? below}`;
  return [...(method ? [method] : []), place, ...Object.keys(headers ?? {}).sort()].join(" ");
}
