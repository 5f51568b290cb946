// The shop's page. The strip at its top asks "who answered?" four times a second and paints one mark
// an answer: kill an instance with `kill -9` and watch its colour vanish without a gap.

const style = `
  :root { color-scheme: light dark; --ink: #1d2433; --soft: #667085; --line: #e4e7ec; --card: #fff;
    --page: #f7f8fa; --accent: #0b6e4f; --bad: #d92d20; }
  @media (prefers-color-scheme: dark) { :root { --ink: #eef1f6; --soft: #9aa4b5; --line: #2b3342;
    --card: #171c26; --page: #0f131b; --accent: #3ecf8e; } }
  * { box-sizing: border-box; }
  body { margin: 0; background: var(--page); color: var(--ink);
    font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
  main, header { max-width: 60rem; margin: 0 auto; padding: 1rem 1.25rem; }
  header { display: flex; align-items: baseline; gap: 1rem; flex-wrap: wrap; padding-top: 2rem; }
  h1 { margin: 0; font-size: 1.6rem; letter-spacing: -0.02em; }
  header p { margin: 0; color: var(--soft); }
  .strip { display: flex; gap: 3px; height: 28px; overflow: hidden; margin: 0 0 0.4rem; }
  .strip i { flex: 0 0 8px; border-radius: 3px; background: var(--line); }
  .strip i.failed { background: var(--bad); }
  .said { color: var(--soft); font-size: 0.9rem; margin: 0 0 1.5rem; min-height: 1.5em; }
  .said b { color: var(--ink); }
  .grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); }
  .card { background: var(--card); border: 1px solid var(--line); border-radius: 14px;
    padding: 1.1rem; display: grid; grid-template-columns: auto 1fr; gap: 0 0.9rem; }
  .card .glyph { font-size: 2.2rem; grid-row: span 2; }
  .card h2 { margin: 0; font-size: 1.05rem; }
  .card p { margin: 0; color: var(--soft); font-size: 0.9rem; }
  .card footer { grid-column: 1 / -1; display: flex; justify-content: space-between;
    align-items: center; margin-top: 0.8rem; font-variant-numeric: tabular-nums; }
  button { font: inherit; border: 0; border-radius: 9px; padding: 0.4rem 0.9rem; cursor: pointer;
    background: var(--accent); color: var(--page); }
  button:disabled { opacity: 0.4; cursor: default; }
  .cart { margin-top: 1.5rem; display: flex; justify-content: space-between; align-items: center;
    gap: 1rem; border-top: 1px solid var(--line); padding-top: 1rem; flex-wrap: wrap; }
  #message { color: var(--soft); margin: 0.6rem 0 2rem; min-height: 1.5em; }
`;

const script = `
  const colours = ["#0b6e4f", "#3b6fd4", "#c2701c", "#8e44ad", "#b83280", "#4a7c8c"];
  const strip = document.querySelector(".strip"), said = document.querySelector(".said");
  const message = document.querySelector("#message");
  let answered = 0, failed = 0;
  function mark(instance) {
    const bar = document.createElement("i");
    if (instance === undefined) bar.className = "failed";
    else bar.style.background = colours[(Number(instance.split("-").pop()) || 1) % colours.length];
    strip.prepend(bar);
    while (strip.children.length > 90) strip.lastChild.remove();
  }
  async function ask() {
    try {
      const response = await fetch("/api/instance", { signal: AbortSignal.timeout(3000) });
      if (!response.ok) throw new Error();
      const who = await response.json();
      answered++;
      mark(who.instance);
      said.innerHTML = "Answered by <b></b>, process " + Number(who.pid) + ". " + answered +
        " asked and answered, " + failed + " failed. " + Number(who.orders) + " orders on disk.";
      said.querySelector("b").textContent = who.instance;
    } catch { failed++; mark(undefined); }
    setTimeout(ask, 250);
  }
  ask();
  const money = (cents) => "€ " + (cents / 100).toFixed(2);
  function show(cart) {
    const count = cart.lines.reduce((sum, line) => sum + line.quantity, 0);
    document.querySelector("#cart").textContent =
      count === 0 ? "Your cart is empty." : count + " in your cart, " + money(cart.cents);
    document.querySelector("#order").disabled = count === 0;
  }
  async function post(path, body) {
    const response = await fetch(path, { method: "POST", body: JSON.stringify(body) });
    const result = await response.json();
    if (!response.ok) throw new Error(result.error);
    return result;
  }
  document.querySelector(".grid").addEventListener("click", async (event) => {
    const id = event.target.dataset.id;
    if (id === undefined) return;
    try { show(await post("/api/cart", { id })); message.textContent = ""; }
    catch (error) { message.textContent = "Not added: " + error.message; }
  });
  let key = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
  document.querySelector("#order").addEventListener("click", async () => {
    try {
      const order = await post("/api/orders", { key });
      key = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
      show({ lines: [], cents: 0 });
      message.textContent = "Thank you. Order " + order.key.slice(0, 8) + " over " +
        money(order.cents) + " is on disk; " + order.takenBy + " took it.";
    } catch (error) {
      message.textContent = "Not confirmed: " + error.message + ". Pressing again orders once.";
    }
  });
`;

function euro(cents) {
  return `€ ${(cents / 100).toFixed(2)}`;
}

function card(product) {
  return `<article class="card"><span class="glyph">${product.glyph}</span><h2>${product.name}</h2>
    <p>${product.note}</p><footer><span>${euro(product.cents)}</span>
    <button data-id="${product.id}">Add to cart</button></footer></article>`;
}

export function page({ name, instance, pid, products, cart }) {
  const count = cart.lines.reduce((sum, line) => sum + line.quantity, 0);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${name}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><style>${style}</style></head>
<body><header><h1>${name}</h1>
<p>This page came from <b>${instance}</b>, process ${pid}.</p></header>
<main><div class="strip" title="One mark an answer, newest first; a colour an instance"></div>
<p class="said"></p>
<section class="grid">${products.map(card).join("\n")}</section>
<div class="cart"><span id="cart">${
    count === 0 ? "Your cart is empty." : `${count} in your cart, ${euro(cart.cents)}`
  }</span><button id="order"${count === 0 ? " disabled" : ""}>Place the order</button></div>
<p id="message"></p></main><script>${script}</script></body></html>
`;
}
