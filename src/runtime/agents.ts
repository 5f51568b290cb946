// Agents as they are really asked: a connection for each question, one line read, and closed.
//
// A line ends with the first CR or LF, or where the agent ends the connection. One timer covers
// name lookup, connect and line, so that an agent that dribbles is late like one that says nothing.

import { connect } from "node:net";
import {
  AGENT_LINE_BYTES_MAX,
  type AgentAnswer,
  type AgentQuestion,
  type Agents,
} from "../ports/agents.ts";

export function createAgents(): Agents {
  return { ask: (target, question) => new Promise((resolve) => ask(target, question, resolve)) };
}

function ask(
  target: { readonly host: string; readonly port: number },
  { send, timeoutMs }: AgentQuestion,
  resolve: (answer: AgentAnswer) => void,
): void {
  const socket = connect({ host: target.host, port: target.port });
  let said = "";
  const finish = (outcome: AgentAnswer["outcome"], text: string): void => {
    clearTimeout(timer);
    socket.destroy();
    resolve({ outcome, text });
  };
  const timer = setTimeout(() => finish("late", `no line within ${timeoutMs} ms`), timeoutMs);
  socket.on("connect", () => {
    if (send !== "") socket.write(send);
  });
  socket.on("data", (bytes: Buffer) => {
    said += bytes.toString("latin1");
    const end = said.search(/[\r\n]/);
    const length = end < 0 ? said.length : end;
    if (length > AGENT_LINE_BYTES_MAX) {
      finish("refused", `its line is over ${AGENT_LINE_BYTES_MAX} bytes`);
    } else if (end >= 0) {
      finish("said", said.slice(0, end));
    }
  });
  socket.on("end", () => {
    if (said === "") finish("unreachable", "closed the connection and said nothing");
    else finish("said", said);
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    finish("unreachable", error.code === "ECONNREFUSED" ? "connection refused" : error.message);
  });
}
