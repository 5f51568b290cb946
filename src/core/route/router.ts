// Which route takes a request: the first in the table whose every condition holds.
//
// The loader has sorted the routes, so this is a scan, and the order is the whole rule: nothing to
// explain to a user beyond "the first that matches". Most tables have one route that takes all, or
// routes that ask for paths only: `findByPath` decides those on the bytes as they came, and making
// strings of a request is left to the others. A scan of 1,000 routes costs some microseconds; a
// tree over hosts and segments was rejected until a table needs it.
//
// Paths are matched as sent, byte for byte: no decoding, no merging of slashes, no case folding,
// since the instance gets the path as sent and only it knows what it makes of it. One form is
// refused (no route): a dot segment ("/a/../b", "/%2e%2e/", "/..;/", "/..%2f") where the table
// tells paths apart, because it names one place to the gateway and another to the instance. Clients
// that follow RFC 3986 section 5.2.4 remove dot segments before they send. Routes choose a service;
// they guard nothing.
//
// Prefix by segment, trailing slash ignored: the Gateway API of Kubernetes, PathPrefix.

import type { RouteMatch, TableRoute } from "./table.ts";

export const NO_ROUTE = -1;
/** The path alone does not tell. */
export const UNDECIDED = -2;

export interface Router {
  /**
   * What `find` would say of a request with the path [from, to), as bytes and without its query;
   * UNDECIDED where more of it must be known.
   */
  findByPath(bytes: Uint8Array, from: number, to: number): number;
  /** Whether some route asks for a host, for a method; else `find` looks at neither. */
  readonly asksHost: boolean;
  readonly asksMethod: boolean;
  /**
   * Index of the first route that matches, or NO_ROUTE. `host` is lower case and without its port,
   * "" when there is none; `path` ends before the query; `headerValue` is asked for lower-case
   * names.
   */
  find(
    host: string,
    path: string,
    method: string,
    headerValue: (lowerCaseName: string) => string | undefined,
  ): number;
}

export function createRouter(routes: readonly Pick<TableRoute, "match">[]): Router {
  return new ScanningRouter(routes.map((route) => compile(route.match)));
}

interface Condition {
  readonly host: string | undefined;
  /** ".example.com" for "*.example.com". */
  readonly hostSuffix: string | undefined;
  /** Without its trailing slash; undefined takes every path. */
  readonly prefix: string | undefined;
  readonly exactPath: string | undefined;
  readonly method: string | undefined;
  readonly headers: readonly (readonly [string, string])[];
  /** Whether the path is all that it asks for. */
  readonly asksPathOnly: boolean;
}

function compile(match: RouteMatch): Condition {
  const wildcard = match.host?.startsWith("*.") === true;
  const prefix = match.path?.replace(/\/+$/, "");
  const headers = Object.entries(match.headers ?? {});
  return {
    host: wildcard ? undefined : match.host,
    hostSuffix: wildcard ? match.host.slice(1) : undefined,
    prefix: prefix === "" ? undefined : prefix,
    exactPath: match.exactPath,
    method: match.method,
    headers,
    asksPathOnly: match.host === undefined && match.method === undefined && headers.length === 0,
  };
}

function tellsPathsApart(condition: Condition): boolean {
  return condition.prefix !== undefined || condition.exactPath !== undefined;
}

function isUnconditional(condition: Condition): boolean {
  return condition.asksPathOnly && !tellsPathsApart(condition);
}

class ScanningRouter implements Router {
  readonly asksHost: boolean;
  readonly asksMethod: boolean;
  readonly #takesAll: boolean;
  readonly #conditions: readonly Condition[];
  readonly #refusesDotSegments: boolean;

  constructor(conditions: readonly Condition[]) {
    this.#conditions = conditions;
    const first = conditions[0];
    this.#takesAll = first !== undefined && isUnconditional(first);
    this.asksHost = conditions.some(
      ({ host, hostSuffix }) => host !== undefined || hostSuffix !== undefined,
    );
    this.asksMethod = conditions.some(({ method }) => method !== undefined);
    // Past a route that takes all, nothing tells paths apart any more.
    this.#refusesDotSegments = !this.#takesAll && conditions.some(tellsPathsApart);
  }

  findByPath(bytes: Uint8Array, from: number, to: number): number {
    if (this.#takesAll) return 0;
    if (from === to) return UNDECIDED;
    if (this.#refusesDotSegments && mayHaveDotSegment(bytes, from, to)) return UNDECIDED;
    for (let index = 0; index < this.#conditions.length; index++) {
      const condition = this.#conditions[index] as Condition;
      if (isOfPath(condition, bytes, from, to)) return condition.asksPathOnly ? index : UNDECIDED;
    }
    return NO_ROUTE;
  }

  find(
    host: string,
    path: string,
    method: string,
    headerValue: (lowerCaseName: string) => string | undefined,
  ): number {
    if (this.#takesAll) return 0;
    if (this.#refusesDotSegments && hasDotSegment(path)) return NO_ROUTE;
    for (let index = 0; index < this.#conditions.length; index++) {
      const condition = this.#conditions[index] as Condition;
      if (
        (condition.method === undefined || condition.method === method) &&
        hostMatches(condition, host) &&
        pathMatches(condition, path) &&
        headersMatch(condition, headerValue)
      ) {
        return index;
      }
    }
    return NO_ROUTE;
  }
}

function hostMatches(condition: Condition, host: string): boolean {
  if (condition.host !== undefined) return condition.host === host;
  const suffix = condition.hostSuffix;
  return suffix === undefined || (host.length > suffix.length && host.endsWith(suffix));
}

function pathMatches(condition: Condition, path: string): boolean {
  if (condition.exactPath !== undefined && condition.exactPath !== path) return false;
  const prefix = condition.prefix;
  if (prefix === undefined) return true;
  if (!path.startsWith(prefix)) return false;
  return path.length === prefix.length || path.charCodeAt(prefix.length) === SLASH;
}

/** The same on bytes. */
function isOfPath(condition: Condition, bytes: Uint8Array, from: number, to: number): boolean {
  const { exactPath, prefix } = condition;
  if (exactPath !== undefined && to - from !== exactPath.length) return false;
  if (exactPath !== undefined && !beginsWith(bytes, from, to, exactPath)) return false;
  if (prefix === undefined) return true;
  if (!beginsWith(bytes, from, to, prefix)) return false;
  return to - from === prefix.length || bytes[from + prefix.length] === SLASH;
}

function beginsWith(bytes: Uint8Array, from: number, to: number, text: string): boolean {
  if (to - from < text.length) return false;
  for (let index = 0; index < text.length; index++) {
    if (bytes[from + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

function headersMatch(
  condition: Condition,
  headerValue: (lowerCaseName: string) => string | undefined,
): boolean {
  for (const [name, wanted] of condition.headers) {
    const value = headerValue(name);
    if (value === undefined || (wanted !== "*" && wanted !== value)) return false;
  }
  return true;
}

const SLASH = 0x2f;
// Separators and dots as some server may read them: plain, percent-encoded, with path parameters.
const dotSegment = /(?:[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\;]|%2f|%5c|%3b|$)/i;

const DOT = 0x2e;
const PERCENT = 0x25;
const BACKSLASH = 0x5c;

function mayHaveDotSegment(bytes: Uint8Array, from: number, to: number): boolean {
  let isSegmentStart = false;
  for (let index = from; index < to; index++) {
    const byte = bytes[index];
    if (byte === PERCENT || (byte === DOT && isSegmentStart)) return true;
    isSegmentStart = byte === SLASH || byte === BACKSLASH;
  }
  return false;
}

/** Whether some server could read a "." or ".." segment in the path. */
export function hasDotSegment(path: string): boolean {
  // Nearly every path has neither a "." nor a "%" after a separator; the scan for both is the fast
  // way.
  if (!path.includes(".") && !path.includes("%")) return false;
  return dotSegment.test(path);
}
