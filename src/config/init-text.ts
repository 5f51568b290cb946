// What `nines init` writes: a file to start from, that runs as soon as its command is right. What most
// people change stands there; what few do stands behind a #, with its default.

export function initText(): string {
  return `# nines.yaml: what Nines keeps up, and how it is reached.
#   nines check      judges this file
#   nines up         runs it
#   nines schema     prints all that may stand here, for editors

services:
  web:
    # Runs as often as \`replicas\` says. Each copy gets PORT, and is to listen there on 127.0.0.1.
    command: node server.js
    replicas: 2                # or { min: 2, max: 5 }: \`nines scale web 5\` then runs five

    # A copy gets traffic once this path answers 200 to 399, and none when it fails 3 times in a
    # row. Without \`http\`, a connection that opens is enough.
    health:
      http: /healthz
      # interval: 1s
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
