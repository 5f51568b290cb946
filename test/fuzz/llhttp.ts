// llhttp, Node's own HTTP parser, as a second opinion: a tiny driver for the WebAssembly build that
// undici carries. It runs in its strict mode and reports what it read, message by message.

import { createRequire } from "node:module";
import { present } from "../../src/core/base/assert.ts";

export interface Read {
  readonly method: string;
  readonly target: string;
  readonly status: number;
  readonly body: string;
  readonly complete: boolean;
}

export interface Opinion {
  /** The last one may be incomplete. */
  readonly messages: readonly Read[];
  /** Name of the error that it stopped at, or "". */
  readonly error: string;
}

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  _initialize(): void;
  malloc(bytes: number): number;
  free(pointer: number): void;
  llhttp_alloc(type: number): number;
  llhttp_free(parser: number): void;
  llhttp_execute(parser: number, bytes: number, length: number): number;
  llhttp_finish(parser: number): number;
  llhttp_get_error_pos(parser: number): number;
  llhttp_get_method(parser: number): number;
  llhttp_method_name(method: number): number;
  llhttp_resume_after_upgrade(parser: number): void;
  llhttp_errno_name(error: number): number;
}

/** What is needed of WebAssembly, which the types of Node 20 leave to the browser's. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly env: object },
  ) => { readonly exports: object };
}

interface MutableRead {
  method: string;
  target: string;
  status: number;
  body: string;
  complete: boolean;
}

const TYPE_REQUEST = 1;
const TYPE_RESPONSE = 2;
const PAUSED_UPGRADE = 22;
/** Returned from headers-complete: there is no body, whatever the head says. */
const SKIP_BODY = 1;

let exports: Exports;
let messages: MutableRead[] = [];
let methodOfAnswer: (finals: number) => string = () => "GET";
let finals = 0;

function text(pointer: number, length: number): string {
  return Buffer.from(exports.memory.buffer, pointer, length).toString("latin1");
}

function name(pointer: number): string {
  return text(pointer, new Uint8Array(exports.memory.buffer, pointer).indexOf(0));
}

function current(): MutableRead {
  return present(messages.at(-1), "a message has begun");
}

const callbacks = {
  wasm_on_message_begin: () => {
    messages.push({ method: "", target: "", status: 0, body: "", complete: false });
    return 0;
  },
  wasm_on_url: (_parser: number, pointer: number, length: number) => {
    current().target += text(pointer, length);
    return 0;
  },
  wasm_on_status: () => 0,
  wasm_on_header_field: () => 0,
  wasm_on_header_value: () => 0,
  wasm_on_headers_complete: (parser: number, status: number) => {
    current().status = status;
    if (status === 0) {
      current().method = name(exports.llhttp_method_name(exports.llhttp_get_method(parser)));
      return 0;
    }
    return methodOfAnswer(finals) === "HEAD" ? SKIP_BODY : 0;
  },
  wasm_on_body: (_parser: number, pointer: number, length: number) => {
    current().body += text(pointer, length);
    return 0;
  },
  wasm_on_message_complete: () => {
    current().complete = true;
    if (current().status >= 200) finals++;
    return 0;
  },
};

function load(): Exports {
  const require = createRequire(import.meta.url);
  const encoded = require("undici/lib/llhttp/llhttp-wasm.js") as Uint8Array;
  const { Module, Instance } = Reflect.get(globalThis, "WebAssembly") as WebAssemblyApi;
  const instance = new Instance(new Module(new Uint8Array(encoded)), { env: callbacks });
  const loaded = instance.exports as Exports;
  loaded._initialize();
  return loaded;
}

function run(bytes: string, type: number, closed: boolean): Opinion {
  exports ??= load();
  messages = [];
  finals = 0;
  const parser = exports.llhttp_alloc(type);
  const pointer = exports.malloc(bytes.length + 1);
  Buffer.from(exports.memory.buffer, pointer, bytes.length).write(bytes, "latin1");
  let from = 0;
  let error = exports.llhttp_execute(parser, pointer, bytes.length);
  while (error === PAUSED_UPGRADE) {
    from = exports.llhttp_get_error_pos(parser) - pointer;
    exports.llhttp_resume_after_upgrade(parser);
    error = exports.llhttp_execute(parser, pointer + from, bytes.length - from);
  }
  if (error === 0 && closed) error = exports.llhttp_finish(parser);
  const errorName = error === 0 ? "" : name(exports.llhttp_errno_name(error));
  exports.free(pointer);
  exports.llhttp_free(parser);
  return { messages, error: errorName };
}

/** What llhttp reads in a stream of requests. */
export function llhttpRequests(bytes: string): Opinion {
  return run(bytes, TYPE_REQUEST, false);
}

/** What llhttp reads in a stream of answers to requests of these methods. */
export function llhttpAnswers(bytes: string, methods: readonly string[], closed: boolean): Opinion {
  methodOfAnswer = (index) => methods[index] ?? "GET";
  return run(bytes, TYPE_RESPONSE, closed);
}
