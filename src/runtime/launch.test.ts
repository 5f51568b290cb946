// What is said of a program that could not be run.

import assert from "node:assert/strict";
import { test } from "node:test";
import { execError } from "./launch.ts";

function requestOf(command: readonly string[]): Parameters<typeof execError>[0] {
  const place = { workingDirectory: "/srv", environment: {}, logFile: "/logs/web-1.log" };
  return { ...place, command, name: "web-1" };
}

test("a line for the shell is named as it was written: the shell is not what was not found", () => {
  const { message } = execError(requestOf(["/bin/sh", "-c", "exec serve --port 1"]), 127);
  assert.equal(message, '"serve --port 1" was not found; its log says more: /logs/web-1.log.');
});

test("a program with its arguments is named with them", () => {
  const { message } = execError(requestOf(["./serve", "-c", "x"]), 126);
  assert.equal(message, '"./serve -c x" may not be run; its log says more: /logs/web-1.log.');
});
