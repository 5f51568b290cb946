// A small shop: a page, a JSON API, and orders that survive whatever ends a process.
//
// It is an ordinary program that knows nothing of Nines beyond a few environment variables. Three
// copies run at once, so nothing that a customer did may live in the memory of one of them:
// - the cart travels in a cookie: any instance can answer any request;
// - an order is a change of the one state that all instances share, and is confirmed only when the
//   journal has it on disk: `kill -9` right after "201" loses nothing;
// - an order carries the customer's own key, so that sending it twice orders once.
// Capacity is a pool of slots with a service time, as if a database stood behind it, and a bounded
// queue before it. Beyond that it answers 503 at once: late answers help nobody.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { resolve } from "node:path";
import { Orders } from "./orders.mjs";
import { page } from "./page.mjs";

const environment = process.env;
const instance = environment.NINES_INSTANCE ?? "shop";
const name = environment.SHOP_NAME ?? "The shop";
const port = Number(environment.PORT ?? 3000);
const host = environment.HOST ?? "127.0.0.1";
const slots = Number(environment.SHOP_SLOTS ?? 32);
const queueLength = Number(environment.SHOP_QUEUE ?? 256);
const serviceTimeMs = Number(environment.SHOP_SERVICE_TIME_MS ?? 2);
const bodyBytesMax = 16 * 1024;
const cartLinesMax = 20;
const quantityMax = 99;

const products = [
  { id: "kettle", name: "Copper kettle", cents: 4900, glyph: "🫖", note: "Whistles in D major." },
  { id: "lamp", name: "Reading lamp", cents: 3250, glyph: "💡", note: "Warm light, long arm." },
  {
    id: "chair",
    name: "Garden chair",
    cents: 7800,
    glyph: "🪑",
    note: "Folds flat, weighs little.",
  },
  { id: "clock", name: "Wall clock", cents: 2700, glyph: "🕰️", note: "Loses a second a month." },
  {
    id: "plant",
    name: "Rubber plant",
    cents: 1850,
    glyph: "🪴",
    note: "Forgives almost anything.",
  },
  {
    id: "umbrella",
    name: "Storm umbrella",
    cents: 3600,
    glyph: "☂️",
    note: "Stands up to 100 km/h.",
  },
];
const productById = new Map(products.map((product) => [product.id, product]));

const say = (text) => console.log(`${instance} ${text}`);
const orders = new Orders(resolve(environment.NINES_DATA_DIR ?? "data"), say);

// The pool: a request takes a slot for the service time, or waits its turn, or is turned away.
let slotsTaken = 0;
const waiting = [];

function withSlot(run) {
  if (slotsTaken < slots) return occupySlot(run);
  if (waiting.length >= queueLength) return false;
  waiting.push(run);
  return true;
}

function occupySlot(run) {
  slotsTaken++;
  setTimeout(() => {
    slotsTaken--;
    run();
    const next = waiting.shift();
    if (next !== undefined) occupySlot(next);
  }, serviceTimeMs);
  return true;
}

function send(response, status, type, body, headers = {}) {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-shop-instance": instance,
    ...headers,
  });
  response.end(body);
}

function sendJson(response, status, value, headers) {
  send(response, status, "application/json", `${JSON.stringify(value)}\n`, headers);
}

/** The cart in the cookie: "lamp*2.clock*1". Whatever does not parse is left out, never trusted. */
function readCart(request) {
  const cart = new Map();
  const cookie = /(?:^|;\s*)cart=([a-z0-9*.]*)/.exec(request.headers.cookie ?? "");
  for (const line of (cookie?.[1] ?? "").split(".").slice(0, cartLinesMax)) {
    const [id, quantity] = line.split("*");
    const count = Number(quantity);
    if (productById.has(id) && Number.isInteger(count) && count > 0 && count <= quantityMax) {
      cart.set(id, count);
    }
  }
  return cart;
}

function cartCookie(cart) {
  const lines = [...cart].map(([id, quantity]) => `${id}*${quantity}`);
  return { "set-cookie": `cart=${lines.join(".")}; Path=/; HttpOnly; SameSite=Lax` };
}

function describeCart(cart) {
  const lines = [...cart].map(([id, quantity]) => {
    const product = productById.get(id);
    return { id, name: product.name, quantity, cents: quantity * product.cents };
  });
  return { lines, cents: lines.reduce((sum, line) => sum + line.cents, 0) };
}

function addToCart(request, response, body) {
  const quantity = body.quantity ?? 1;
  if (!productById.has(body.id)) return sendJson(response, 404, { error: "no such product" });
  const cart = readCart(request);
  const total = (cart.get(body.id) ?? 0) + quantity;
  if (!Number.isInteger(quantity) || total < 0 || total > quantityMax) {
    return sendJson(response, 400, { error: `quantity must stay between 0 and ${quantityMax}` });
  }
  if (total === 0) cart.delete(body.id);
  else cart.set(body.id, total);
  sendJson(response, 200, describeCart(cart), cartCookie(cart));
}

async function placeOrder(request, response, body) {
  const cart = readCart(request);
  const key = body.key ?? request.headers["idempotency-key"] ?? randomUUID();
  if (typeof key !== "string" || !/^[\w-]{1,64}$/.test(key)) {
    return sendJson(response, 400, { error: "key must be 1 to 64 letters, digits or dashes" });
  }
  if (cart.size === 0) {
    const known = await orders.find(key); // the cart was emptied by the order itself
    if (known === null) return sendJson(response, 409, { error: "the cart is empty" });
    return sendJson(response, 200, known, cartCookie(new Map()));
  }
  // On disk when this resolves; a full disk throws, and nothing is confirmed.
  const { order, isNew } = await orders.place({
    key,
    at: new Date().toISOString(),
    takenBy: instance,
    ...describeCart(cart),
  });
  sendJson(response, isNew ? 201 : 200, order, cartCookie(new Map()));
}

const routes = {
  "GET /": (request, response) =>
    send(
      response,
      200,
      "text/html; charset=utf-8",
      page({ name, instance, pid: process.pid, products, cart: describeCart(readCart(request)) }),
    ),
  "GET /api/instance": async (_request, response) =>
    sendJson(response, 200, { instance, pid: process.pid, orders: await orders.count() }),
  "GET /api/products": (_request, response) => sendJson(response, 200, products),
  "GET /api/cart": (request, response) => sendJson(response, 200, describeCart(readCart(request))),
  "POST /api/cart": addToCart,
  "GET /api/orders": async (_request, response) => sendJson(response, 200, await orders.latest(50)),
  "POST /api/orders": placeOrder,
};

/** Reads a JSON body of bounded size; undefined after an answer has been sent instead. */
async function readBody(request, response) {
  if (request.method !== "POST") return {};
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) {
      sendJson(response, 413, { error: "too large" }, { connection: "close" });
      return undefined;
    }
    chunks.push(chunk);
  }
  try {
    const value = bytes === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString());
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // Falls through to the answer below.
  }
  sendJson(response, 400, { error: "the body is not a JSON object" });
  return undefined;
}

let stopping = false;

async function answer(request, response) {
  const path = request.url.split("?", 1)[0];
  if (path === "/healthz") return send(response, stopping ? 503 : 200, "text/plain", "ok\n");
  const handler = routes[`${request.method === "HEAD" ? "GET" : request.method} ${path}`];
  if (handler === undefined) return sendJson(response, 404, { error: "not found" });
  const body = await readBody(request, response);
  if (body === undefined) return;
  const taken = withSlot(async () => {
    try {
      await handler(request, response, body);
    } catch (error) {
      console.error(`${request.method} ${path}: ${error.message}`);
      sendJson(response, 500, { error: "the shop could not do that; ordering again orders once" });
    }
  });
  if (!taken) sendJson(response, 503, { error: "too busy" }, { "retry-after": "1" });
}

const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy()); // the client left while sending
});
// Longer than the gateway keeps idle connections, so that it is never the shop that closes first.
server.keepAliveTimeout = 65_000;
server.on("error", (error) => {
  console.error(`${instance} cannot listen on ${host}:${port}: ${error.message}`);
  process.exit(1);
});
await orders.start(); // a journal that cannot be read ends the start, and says why
server.listen(port, host, () => say(`listens on http://${host}:${port}`));

// SIGTERM: fail the health check, take no new connections, finish what is under way, end.
process.once("SIGTERM", () => {
  stopping = true;
  server.close(() => orders.close().finally(() => process.exit(0)));
  server.closeIdleConnections();
});
