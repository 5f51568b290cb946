// Closing the connections to one instance, as an operator asks: what is idle or a tunnel ends at
// once, a request ends first, and nobody's request fails.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { opening, type Peer, startGateway, startOrigin, tableOf } from "./engine.fixture.ts";

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n";
const switching =
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n";
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Answers its first request. */
const answering = async (peer: Peer): Promise<void> => {
  await peer.takeThrough("\r\n\r\n");
  peer.send(ok);
};

describe("closing the connections to an instance", () => {
  test(
    "an idle connection closes, and the next request makes another",
    opening(async (open) => {
      const origin = await open(startOrigin(answering));
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(get);
      await client.message();
      gateway.engine.closeConnections("web-1", false);
      assert.equal(await origin.peers[0]?.ended(), "fin");
      client.send(get);
      assert.equal((await client.message()).body, "ok");
      assert.equal(origin.peers.length, 2);
    }),
  );

  test(
    "a request under way is answered on its connection, which closes then",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(get);
      const peer = await origin.peer(0);
      await peer.takeThrough("\r\n\r\n");
      gateway.engine.closeConnections("web-1", false);
      peer.send(ok.replace("\r\n", "\r\nKeep-Alive: timeout=60\r\n"));
      assert.equal((await client.message()).body, "ok");
      assert.equal(await peer.ended(), "fin");
    }),
  );

  test(
    "a tunnel is reset, on both sides",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          await peer.takeThrough("\r\n\r\n");
          peer.send(switching);
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(upgrade);
      await client.takeThrough("\r\n\r\n");
      gateway.engine.closeConnections("web-2", false);
      gateway.engine.closeConnections("web-1", false);
      assert.equal(await client.ended(), "reset");
      assert.equal(await origin.peers[0]?.ended(), "reset");
    }),
  );

  test(
    "everything: a request under way goes to another instance, and its client notices nothing",
    opening(async (open) => {
      const first = await open(startOrigin());
      const second = await open(startOrigin(answering));
      const ports = [first.port, second.port];
      const instances = [{}, { backup: true }];
      const gateway = await open(startGateway(tableOf({ ports, instances })));
      const client = await gateway.client();
      client.send(get);
      const peer = await first.peer(0);
      await peer.takeThrough("\r\n\r\n");
      gateway.engine.closeConnections("web-1", true);
      assert.equal((await client.message()).body, "ok");
      assert.equal(await peer.ended(), "reset");
    }),
  );
});
