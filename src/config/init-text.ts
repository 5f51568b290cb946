// What `nines init` writes: a file to start from, that runs as it is. What most people change stands
// there; what few do stands behind a #, with its default.
//
// Who has a program gets a file that runs it, and no path to check: only its author knows which one
// answers. Who has none gets an example, so that the first `nines up` shows something that works
// and not a crash loop. It is one line of the file and no program beside it: nothing is to be
// cleaned up when the own command stands in its place.

const example = `\
    # Only an example, that answers with its name: put the command of your service here.
    command:
      - node
      - --eval
      - require("http").createServer((request, response) => response.end(process.env.NINES_INSTANCE
        + "\\n")).listen(process.env.PORT, process.env.HOST)
`;

/** `command`: the folder's own, as the file is to say it; undefined where there is none. */
export function initText(command: string | undefined): string {
  const unknown = command === undefined ? "" : "# ";
  return `# nines.yaml: what Nines keeps up, and how it is reached.
#   nines check      judges this file
#   nines up         runs it
#   nines schema     prints all that may stand here, for editors

services:
  web:
    # Runs as often as \`replicas\` says. Each copy gets PORT, and is to listen there on 127.0.0.1.
${command === undefined ? example : `    command: ${command}\n`}\
    replicas: 2                # or { min: 2, max: 5 }: \`nines scale web 5\` then runs five

    # A copy gets traffic once this path answers 200 to 399, and none when it fails 3 times in a
    # row. Without \`http\`, a connection that opens is enough.
    health:
      interval: 1s
      ${unknown}http: /healthz
      # timeout: 500ms

    # env:
    #   LOG_LEVEL: info
    # limits:
    #   memory: 512MiB
    # dependsOn: [database]

  # Something that runs elsewhere, and is only checked and balanced:
  # search:
  #   endpoints: ["10.0.0.7:9200", "10.0.0.8:9200"]

gateway:
  # workers: 2                 # one a core unless said otherwise
  listen:
    - address: :8080           # every address of this machine; 127.0.0.1:8080 is this machine only

  # Which requests go where. The most specific match wins, wherever it stands.
  routes:
    - match: { path: / }
      service: web
      # balance: least-request   # or weighted, peak-ewma, maglev, ...
`;
}
