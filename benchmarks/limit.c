/* The limit: a fan-out that does nothing else. One epoll loop takes what has come from everybody,
 * joins it, and sends it to everybody with one call each. No store, no accounts, no checks: what
 * remains is what the kernel asks for bytes to that many sockets.
 *
 *     limit PORT [single]     with `single`, every message is sent by itself
 *
 * It says just enough of the protocol for the load to take it for a server, and what it delivers
 * has the size of what the server delivers.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_SIZE 65536
#define EVENTS 1024
#define MOST_FILES 65536
#define MOST_UNSENT (64u << 20)

struct bytes {
    char *data;
    size_t size, room;
};

struct client {
    int fd;
    bool member, writing, sender; /* a sender's turn is put together apart from the others' */
    struct bytes in, out;
};

static struct client *clients[MOST_FILES], *members[MOST_FILES];
static int members_count, poller;
static struct bytes turn;
static unsigned long long seq;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void add(struct bytes *b, const void *data, size_t size) {
    if (b->size + size > b->room) {
        b->room = 2 * (b->size + size);
        if (!(b->data = realloc(b->data, b->room))) fail("realloc");
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void add_frame(struct bytes *b, const char *body, size_t size) {
    uint32_t head = htonl((uint32_t)size);
    add(b, &head, 4);
    add(b, body, size);
}

static void add_text(struct bytes *b, const char *text) { add_frame(b, text, strlen(text)); }

static void watch(struct client *c, int operation) {
    struct epoll_event event = {.events = EPOLLIN | (c->writing ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(poller, operation, c->fd, &event)) fail("epoll_ctl");
}

static void forget(struct client *c) {
    for (int i = 0; i < members_count; i++)
        if (members[i] == c) members[i] = members[--members_count];
    clients[c->fd] = NULL;
    close(c->fd);
    free(c->in.data);
    free(c->out.data);
    free(c);
}

static void send_rest(struct client *c) {
    ssize_t sent = send(c->fd, c->out.data, c->out.size, MSG_NOSIGNAL);
    if (sent < 0) sent = 0;
    c->out.size -= (size_t)sent;
    memmove(c->out.data, c->out.data + sent, c->out.size);
    bool writing = c->out.size > 0;
    if (writing != c->writing) {
        c->writing = writing;
        watch(c, EPOLL_CTL_MOD);
    }
}

static void send_to(struct client *c, const char *data, size_t size) {
    ssize_t sent = c->out.size ? 0 : send(c->fd, data, size, MSG_NOSIGNAL);
    if (sent < 0) sent = 0;
    if ((size_t)sent == size) return;
    add(&c->out, data + sent, size - (size_t)sent);
    if (c->out.size > MOST_UNSENT) fail("a client does not read");
    if (!c->writing) {
        c->writing = true;
        watch(c, EPOLL_CTL_MOD);
    }
}

/* Everything of this turn to everybody; who sent something has a turn of its own in `out`. */
static void deliver(void) {
    for (int i = 0; i < members_count; i++) {
        struct client *c = members[i];
        if (!c->sender)
            send_to(c, turn.data, turn.size);
        else if (!c->writing && c->out.size)
            send_rest(c);
        c->sender = false;
    }
    turn.size = 0;
}

static void say(struct client *c, const char *body, size_t size, bool single) {
    static char push[4096], reply[512];
    char *content = memmem(body, size, "content\\\":\\\"", 12);
    char *end = content ? strstr(content + 12, "\\\"") : NULL;
    if (!end) return;
    seq++;
    int length = snprintf(
        push, sizeof push,
        "{\"type\":\"SmsMes\",\"data\":\"{\\\"seq\\\":%llu,\\\"epoch\\\":\\\"1.abcdef\\\",\\\"userId\\\""
        ":%d,\\\"userName\\\":\\\"u%d\\\",\\\"content\\\":\\\"%.*s\\\",\\\"time\\\":%llu,"
        "\\\"conversation\\\":\\\"#lobby\\\"}\"}",
        seq, c->fd, c->fd, (int)(end - content - 12), content + 12, 1700000000000 + seq);
    snprintf(reply, sizeof reply,
             "{\"type\":\"SmsResMes\",\"data\":\"{\\\"code\\\":200,\\\"error\\\":\\\"\\\",\\\"clientId\\\""
             ":\\\"%llu\\\",\\\"conversation\\\":\\\"#lobby\\\",\\\"seq\\\":%llu}\"}", seq, seq);
    if (!c->sender) {
        c->sender = true;
        add(&c->out, turn.data, turn.size);
    }
    add_text(&c->out, reply);
    add_frame(&turn, push, (size_t)length);
    for (int i = 0; i < members_count; i++)
        if (members[i]->sender && members[i] != c) add_frame(&members[i]->out, push, (size_t)length);
    if (single) deliver();
}

static bool is(const char *body, const char *type) {
    return !strncmp(body + 9, type, strlen(type)) && body[9 + strlen(type)] == '"';
}

static void handle(struct client *c, const char *body, size_t size, bool single) {
    if (size < 24) return;
    if (is(body, "SmsMes")) {
        say(c, body, size, single);
    } else if (is(body, "RegisterMes")) {
        add_text(&c->out, "{\"type\":\"RegisterResMes\",\"data\":\"{\\\"code\\\":200}\"}");
        send_rest(c);
    } else if (is(body, "LoginMes")) {
        add_text(&c->out, "{\"type\":\"LoginResMes\",\"data\":\"{\\\"code\\\":200}\"}");
        send_rest(c);
        if (!c->member) members[members_count++] = c;
        c->member = true;
    }
}

static bool receive(struct client *c, bool single) {
    static char buffer[READ_SIZE + 1];
    ssize_t size = recv(c->fd, buffer, READ_SIZE, 0);
    if (size < 0 && errno == EAGAIN) return true;
    if (size <= 0) return false;
    add(&c->in, buffer, (size_t)size);
    size_t at = 0;
    while (c->in.size - at >= 4) {
        uint32_t head;
        memcpy(&head, c->in.data + at, 4);
        size_t length = ntohl(head);
        if (length > READ_SIZE) return false;
        if (c->in.size - at < 4 + length) break;
        handle(c, c->in.data + at + 4, length, single);
        at += 4 + length;
    }
    c->in.size -= at;
    memmove(c->in.data, c->in.data + at, c->in.size);
    return true;
}

static void let_in(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= MOST_FILES) fail("too many clients");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct client *c = clients[fd] = calloc(1, sizeof *c);
        if (!c) fail("calloc");
        c->fd = fd;
        watch(c, EPOLL_CTL_ADD);
    }
}

static int listen_at(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 1024)) fail("listen");
    return fd;
}

int main(int count, char **arguments) {
    if (count < 2) return 2;
    bool single = count > 2 && !strcmp(arguments[2], "single");
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int listener = listen_at(atoi(arguments[1]));
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event)) fail("epoll_ctl");
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            struct client *c = events[i].data.ptr;
            if (!c) {
                let_in(listener);
                continue;
            }
            if (events[i].events & EPOLLOUT) send_rest(c);
            if (events[i].events & ~(uint32_t)EPOLLOUT && !receive(c, single)) forget(c);
        }
        if (turn.size) deliver();
    }
}
