// An open load and the origin behind it, in one thread.
//
// Requests fall due at random (a Poisson process) whatever the answers do, each on a kept
// connection that is free, and a latency counts from when its request was due: what waits for a
// connection has waited. Load and origin are one thread because both must have the core that the
// proxy has not: two programs there wait for each other, three milliseconds at a time, and that is
// what one would measure.
//
//   open-load ORIGIN_PORT
//
// It answers on ORIGIN_PORT from then on. Each line of its input is a load,
// "PORT CONNECTIONS PER_SECOND SECONDS", each line of its output what came of it, as JSON.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 65536
#define CONNECTIONS_MAX 4096
#define HEAD_BYTES_MAX 4096
#define DUE_MAX (1 << 20)
#define SAMPLES_MAX (1 << 24)
/** How often it looks. Woken for each message it would need all of its core for half the load. */
#define TICK_NS 100000ull
/** Connections are made, on both sides of the proxy, and then it counts. */
#define SETTLING_NS 500000000ull
/** What is not answered by then is lost. */
#define PATIENCE_NS 2000000000ull

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nhello world\n";
static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

enum role { UNUSED, LISTENER, INPUT, ORIGIN, CLIENT };

/** One for each descriptor. A message must fit: all of them are small here. */
struct peer {
  enum role role;
  int length;
  /** Of the request under way; 0: none. */
  uint64_t dueNs;
  char bytes[HEAD_BYTES_MAX];
};

static struct peer *peers;
static int epoll;

/** Connections that wait for nothing: a ring, so that all of them are used. */
static int idle[CONNECTIONS_MAX];
static unsigned idleHead, idleTail;

/** Requests that are due and have no connection: a ring. */
static uint64_t *due;
static unsigned dueHead, dueTail;

static float *samples;
static unsigned sampleCount, errors, lost, underWay;
static uint64_t countsFromNs;

static uint64_t nowNs(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void watch(int fd, enum role role) {
  if (fd >= DESCRIPTORS_MAX) fail("too many descriptors");
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  peers[fd] = (struct peer){.role = role};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
}

static void tune(int fd) {
  int on = 1;
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static void listenOn(int port) {
  struct sockaddr_in address = loopback(port);
  int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
  if (listen(fd, 4096) < 0) fail("listen");
  watch(fd, LISTENER);
}

static void acceptAll(int listener) {
  for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
    tune(fd);
    watch(fd, ORIGIN);
  }
}

static void closePeer(int fd) {
  peers[fd].role = UNUSED;
  close(fd);
}

/** The client's side. */

static void ask(int fd, uint64_t dueNs) {
  peers[fd].dueNs = dueNs;
  peers[fd].length = 0;
  underWay++;
  if (write(fd, request, sizeof request - 1) != (ssize_t)sizeof request - 1) {
    lost++;
    underWay--;
    closePeer(fd);
  }
}

/** One that the proxy has not closed meanwhile; -1: there is none. */
static int takeIdle(void) {
  while (idleHead != idleTail) {
    int fd = idle[idleHead++ % CONNECTIONS_MAX];
    if (peers[fd].role == CLIENT) return fd;
  }
  return -1;
}

static void fallDue(uint64_t dueNs) {
  int fd = takeIdle();
  if (fd >= 0) ask(fd, dueNs);
  else if (dueTail - dueHead < DUE_MAX) due[dueTail++ % DUE_MAX] = dueNs;
  else lost++;
}

static void answered(int fd, int isGood) {
  struct peer *peer = &peers[fd];
  underWay--;
  if (!isGood) errors++;
  if (peer->dueNs >= countsFromNs && sampleCount < SAMPLES_MAX) {
    samples[sampleCount++] = (float)(nowNs() - peer->dueNs) / 1e6f;
  }
  peer->dueNs = 0;
  if (dueHead != dueTail) ask(fd, due[dueHead++ % DUE_MAX]);
  else idle[idleTail++ % CONNECTIONS_MAX] = fd;
}

/** How long the whole answer is, or 0 while its head has not come. */
static int answerLength(struct peer *peer) {
  peer->bytes[peer->length] = 0;
  char *end = strstr(peer->bytes, "\r\n\r\n");
  char *field = strcasestr(peer->bytes, "\r\ncontent-length:");
  if (end == NULL) return 0;
  return (int)(end + 4 - peer->bytes) + (field == NULL ? 0 : atoi(field + 17));
}

static void readMore(int fd) {
  struct peer *peer = &peers[fd];
  int room = HEAD_BYTES_MAX - 1 - peer->length;
  ssize_t count = read(fd, peer->bytes + peer->length, (size_t)room);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    if (peer->role == CLIENT) {
      lost++;
      if (peer->dueNs != 0) underWay--;
    }
    closePeer(fd);
    return;
  }
  peer->length += (int)count;
  if (peer->role == CLIENT) {
    int whole = answerLength(peer);
    if (whole > 0 && peer->length >= whole) answered(fd, memcmp(peer->bytes + 9, "200", 3) == 0);
    return;
  }
  if (peer->length < 4 || memcmp(peer->bytes + peer->length - 4, "\r\n\r\n", 4) != 0) return;
  peer->length = 0;
  if (write(fd, answer, sizeof answer - 1) < 0) closePeer(fd);
}

/** All that has come. */
static void turn(void) {
  static struct epoll_event events[512];
  int count = epoll_wait(epoll, events, 512, 0);
  for (int at = 0; at < count; at++) {
    int fd = events[at].data.fd;
    if (peers[fd].role == LISTENER) acceptAll(fd);
    else if (peers[fd].role == ORIGIN || peers[fd].role == CLIENT) readMore(fd);
  }
}

static void sleepUntil(uint64_t ns) {
  struct timespec until = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/** One load. */

static double exponential(void) { return -log(1.0 - drand48()); }

static void connectAll(int port, int connections, int *fds) {
  struct sockaddr_in address = loopback(port);
  for (int at = 0; at < connections; at++) {
    fds[at] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fds[at], (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
    tune(fds[at]);
    watch(fds[at], CLIENT);
    idle[idleTail++ % CONNECTIONS_MAX] = fds[at];
  }
}

static int byValue(const void *one, const void *other) {
  float a = *(const float *)one, b = *(const float *)other;
  return (a > b) - (a < b);
}

static double quantile(double share) {
  return sampleCount == 0 ? -1 : samples[(unsigned)(share * (sampleCount - 1))];
}

static void run(int port, int connections, double perSecond, double seconds) {
  static int fds[CONNECTIONS_MAX];
  idleHead = idleTail = dueHead = dueTail = sampleCount = errors = lost = underWay = 0;
  connectAll(port, connections, fds);
  uint64_t begun = nowNs(), next = begun;
  countsFromNs = begun + SETTLING_NS;
  uint64_t ends = countsFromNs + (uint64_t)(seconds * 1e9);
  for (uint64_t tick = begun; tick < ends + PATIENCE_NS; tick += TICK_NS) {
    sleepUntil(tick);
    turn();
    for (; next <= tick && next < ends; next += (uint64_t)(exponential() / perSecond * 1e9)) {
      fallDue(next);
    }
    if (tick >= ends && underWay == 0 && dueHead == dueTail) break;
  }
  lost += underWay + (dueTail - dueHead);
  for (int at = 0; at < connections; at++) {
    if (peers[fds[at]].role == CLIENT) closePeer(fds[at]);
  }
  qsort(samples, sampleCount, sizeof *samples, byValue);
  printf("{\"requests\":%u,\"errors\":%u,\"lost\":%u,\"p50Ms\":%.4f,\"p99Ms\":%.4f,"
         "\"p999Ms\":%.4f,\"mostMs\":%.4f}\n",
         sampleCount, errors, lost, quantile(0.5), quantile(0.99), quantile(0.999), quantile(1));
  fflush(stdout);
}

static void readLoad(void) {
  static char line[256];
  static int length;
  ssize_t count = read(0, line + length, sizeof line - 1 - (size_t)length);
  if (count <= 0) exit(0);
  length += (int)count;
  line[length] = 0;
  int port, connections;
  double perSecond, seconds;
  if (strchr(line, '\n') == NULL) return;
  length = 0;
  if (sscanf(line, "%d %d %lf %lf", &port, &connections, &perSecond, &seconds) != 4 ||
      connections < 1 || connections > CONNECTIONS_MAX || perSecond <= 0) {
    fprintf(stderr, "not a load: %s", line);
    exit(2);
  }
  run(port, connections, perSecond, seconds);
}

int main(int count, char **words) {
  if (count != 2) return 2;
  peers = calloc(DESCRIPTORS_MAX, sizeof *peers);
  due = malloc(DUE_MAX * sizeof *due);
  samples = malloc(SAMPLES_MAX * sizeof *samples);
  epoll = epoll_create1(0);
  prctl(PR_SET_TIMERSLACK, 1);
  // Who measures is to be held up by nobody; who is not allowed to say so goes without.
  setpriority(PRIO_PROCESS, 0, -20);
  srand48(1);
  listenOn(atoi(words[1]));
  struct epoll_event event = {.events = EPOLLIN, .data.fd = 0};
  epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);
  for (;;) {
    static struct epoll_event events[64];
    int ready = epoll_wait(epoll, events, 64, -1);
    for (int at = 0; at < ready; at++) {
      int fd = events[at].data.fd;
      if (fd == 0) readLoad();
      else if (peers[fd].role == LISTENER) acceptAll(fd);
      else if (peers[fd].role != UNUSED) readMore(fd);
    }
  }
}
