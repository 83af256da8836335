/* Sockets, one epoll, and reading into one buffer that stays in the processor's cache. */

#define _GNU_SOURCE
#include "net.h"
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define READ_SIZE (128 * 1024)
#define EVENTS 256
#define PER_ADDRESS 4000 /* connections from one loopback address, well below its ports */
#define ADDRESSES 200
#define SLOW_BUFFER 4096
#define BUCKETS (1 << 22)

struct orders orders;
struct counts counts;
uint64_t read_at;

static int poller = -1, timer = -1;
static uint64_t timer_at, opened;
static char buffer[LARGEST_UNIT + READ_SIZE];
static uint32_t *latencies;
static uint64_t latencies_count;

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* Latencies ------------------------------------------------------------------------------------ */

void latency_add(uint64_t ns) {
    uint64_t us = ns / 1000;
    latencies[us < BUCKETS ? us : BUCKETS - 1]++;
    latencies_count++;
}

void latency_reset(void) {
    memset(latencies, 0, BUCKETS * sizeof *latencies);
    latencies_count = 0;
}

uint64_t latency_count(void) { return latencies_count; }

double latency_at(double share) {
    uint64_t wanted = (uint64_t)(share * (double)latencies_count), seen = 0;
    for (size_t us = 0; us < BUCKETS; us++)
        if ((seen += latencies[us]) > wanted) return (double)us / 1000;
    return 0;
}

/* Life of a connection ------------------------------------------------------------------------- */

void net_start(void) {
    poller = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    latencies = calloc(BUCKETS, sizeof *latencies);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (orders.tls) tls_start();
    if (poller < 0 || timer < 0 || !latencies || epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event))
        die("cannot start: %s", strerror(errno));
}

static void watch(struct conn *c, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(poller, operation, c->fd, &event)) die("epoll_ctl: %s", strerror(errno));
}

/* One address has some 28,000 ports, and closed connections keep theirs for a minute. */
static void spread(int fd) {
    int on = 1;
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(0x7f000001u + (uint32_t)(opened++ / PER_ADDRESS % ADDRESSES));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&from, sizeof from)) die("bind: %s", strerror(errno));
}

void net_open(struct conn *c, int user) {
    int on = 1, size = SLOW_BUFFER;
    c->user = user;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("socket: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (c->slow) setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    spread(c->fd);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)orders.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    c->tls = orders.tls ? tls_open(c->fd) : NULL;
    c->opened = now();
    c->writing = true; /* until it is connected */
    c->left_size = c->out_size = 0;
    watch(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

void net_close(struct conn *c) {
    if (c->fd >= 0) close(c->fd);
    if (c->tls) tls_close(c->tls);
    c->tls = NULL;
    c->fd = -1;
    c->life++;
    c->entered = false;
}

/* Wait for what the connection wants: a slow one is read only when it is told to. */
static void watch_again(struct conn *c) {
    uint32_t reading = c->slow && c->entered ? 0 : EPOLLIN;
    watch(c, EPOLL_CTL_MOD, reading | (c->writing ? EPOLLOUT : 0));
}

void net_slow(struct conn *c) { watch_again(c); }

/* Sending -------------------------------------------------------------------------------------- */

char *net_room(struct conn *c, size_t size) {
    if (c->out_size + size > c->out_room) {
        c->out_room = 2 * (c->out_size + size);
        if (!(c->out = realloc(c->out, c->out_room))) die("out of memory");
    }
    return c->out + c->out_size;
}

void net_wrote(struct conn *c, size_t size) { c->out_size += size; }

void net_flush(struct conn *c) {
    if (!c->out_size || c->writing || c->fd < 0) return;
    ssize_t sent = c->tls ? tls_send(c->tls, c->out, c->out_size)
                          : send(c->fd, c->out, c->out_size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return; /* lost, or a handshake: reading goes on with it */
    if (sent < 0) sent = 0;
    c->out_size -= (size_t)sent;
    if (!c->out_size) return;
    memmove(c->out, c->out + sent, c->out_size);
    c->writing = true;
    watch_again(c);
}

static void writable(struct conn *c) {
    c->writing = false;
    watch_again(c);
    net_flush(c);
}

/* Receiving ------------------------------------------------------------------------------------ */

static void keep(struct conn *c, const char *rest, size_t size) {
    if (size > LARGEST_UNIT) die("a frame or line of more than %d bytes", LARGEST_UNIT);
    if (size > c->left_room) {
        c->left_room = size < 512 ? 512 : size;
        if (!(c->left = realloc(c->left, c->left_room))) die("out of memory");
    }
    memcpy(c->left, rest, size);
    c->left_size = size;
}

/* What comes is acknowledged when it is read, whoever sent it. A kernel whose program sends nothing
 * waits 40 ms with that, by timers which here, where both ends are one machine, run on the server's
 * core; and the peers leave Nagle's algorithm on, which holds a message back for as long. */
static void acknowledge_now(struct conn *c) {
    int on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

static void readable(struct conn *c, size_t most) {
    if (c->left_size) memcpy(buffer, c->left, c->left_size);
    char *to = buffer + c->left_size;
    ssize_t size = c->tls ? tls_recv(c->tls, to, most) : recv(c->fd, to, most, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (c->tls) net_flush(c); /* what waited for the end of the handshake */
        return;
    }
    if (size <= 0) {
        counts.lost++;
        net_close(c);
        return;
    }
    counts.bytes += (uint64_t)size;
    acknowledge_now(c);
    read_at = now();
    size_t there = c->left_size + (size_t)size;
    unsigned life = c->life;
    size_t taken = orders.dialect->take(c, buffer, there);
    if (c->life == life) keep(c, buffer + taken, there - taken);
    on_handled();
}

void net_sip(struct conn *c, size_t most) {
    if (c->fd >= 0) readable(c, most);
}

static void set_timer(uint64_t at) {
    struct itimerspec when = {{0, 0}, {(time_t)(at / SECOND), (long)(at % SECOND)}};
    if (at != timer_at) timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
    timer_at = at;
}

void net_turn(uint64_t until) {
    struct epoll_event events[EVENTS];
    set_timer(until ? until : 1);
    int count = epoll_wait(poller, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
        struct conn *c = events[i].data.ptr;
        if (!c) {
            uint64_t expired;
            if (read(timer, &expired, sizeof expired) > 0) timer_at = 0;
            continue;
        }
        /* An earlier event of this turn may have closed it, or opened it anew. */
        if (c->fd >= 0 && events[i].events & EPOLLOUT) writable(c);
        if (c->fd >= 0 && events[i].events & ~(uint32_t)EPOLLOUT) readable(c, READ_SIZE);
    }
}
