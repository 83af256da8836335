/* Speaks the chat protocol: judges frames by their length and first bytes, reads few of them. */

#define _GNU_SOURCE
#include "net.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STARTS(text, size, with) \
    ((size) >= sizeof(with) - 1 && !memcmp(text, with, sizeof(with) - 1))
#define FIND(text, size, what) memmem(text, size, what, sizeof(what) - 1)
#define TYPE(name) "{\"type\":\"" name "\","
#define SHOWN 3 /* unexpected messages that are printed */

static char epoch[64];

/* Writing -------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void frame(struct conn *c, const char *format, ...) {
    char body[2048];
    __builtin_va_list arguments;
    __builtin_va_start(arguments, format);
    int size = vsnprintf(body, sizeof body, format, arguments);
    __builtin_va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof body) die("a message is too long");
    char *at = net_room(c, (size_t)size + 4);
    uint32_t head = htonl((uint32_t)size);
    memcpy(at, &head, 4);
    memcpy(at + 4, body, (size_t)size);
    net_wrote(c, (size_t)size + 4);
}

static void chat_enter(struct conn *c) {
    int id = orders.base + c->user;
    if (orders.how == REGISTER || orders.how == REGISTER_AND_LOG_IN)
        frame(c, TYPE("RegisterMes")
              "\"data\":\"{\\\"version\\\":2,\\\"user\\\":{\\\"userId\\\":%d,"
              "\\\"userPwd\\\":\\\"password\\\",\\\"userName\\\":\\\"u%d\\\"}}\"}", id, id);
    if (orders.how == LOG_IN || orders.how == REGISTER_AND_LOG_IN)
        frame(c, TYPE("LoginMes")
              "\"data\":\"{\\\"version\\\":2,\\\"userId\\\":%d,\\\"userPwd\\\":\\\"password\\\","
              "\\\"device\\\":\\\"bench\\\"}\"}", id);
    if (orders.how == USE_TOKEN)
        frame(c, TYPE("LoginMes") "\"data\":\"{\\\"version\\\":2,\\\"token\\\":\\\"%s\\\"}\"}",
              orders.tokens[c->user]);
    net_flush(c);
}

static const char *filler(void) {
    static char text[1024];
    if (!*text)
        for (size_t i = 0; i < sizeof text - 1; i++) text[i] = "benchmark "[i % 10];
    return text;
}

static void chat_say(struct conn *c, struct conn *to, uint64_t stamp) {
    char name[24] = "#lobby";
    if (to) snprintf(name, sizeof name, "@%d", orders.base + to->user);
    frame(c, TYPE("SmsMes")
          "\"data\":\"{\\\"to\\\":\\\"%s\\\",\\\"content\\\":\\\"T%016" PRIx64 " %.*s\\\","
          "\\\"clientId\\\":\\\"%s-%d-%" PRIu64 "\\\"}\"}",
          name, stamp, orders.size - 18, filler(), orders.run, c->user, c->sent);
}

void chat_ack(struct conn *c, bool private) {
    char name[24] = "#lobby";
    if (private) snprintf(name, sizeof name, "@%d", orders.base + c->partner->user);
    uint64_t seq = private ? c->private_seq : c->room_seq;
    counts.acked++;
    frame(c, TYPE("AckMes")
          "\"data\":\"{\\\"conversation\\\":\\\"%s\\\",\\\"epoch\\\":\\\"%s\\\","
          "\\\"delivered\\\":%" PRIu64 ",\\\"read\\\":%" PRIu64 "}\"}", name, epoch, seq, seq);
}

void chat_page(struct conn *c, const char *conversation, uint64_t before) {
    frame(c, TYPE("HistoryMes") "\"data\":\"{\\\"conversation\\\":\\\"%s\\\",\\\"before\\\":%"
          PRIu64 ",\\\"limit\\\":50}\"}", conversation, before);
}

void chat_ping(struct conn *c) { frame(c, TYPE("PingMes") "\"data\":\"{}\"}"); }

/* Reading -------------------------------------------------------------------------------------- */

static void copy_member(const char *body, size_t size, const char *name, char *to, size_t room) {
    char *at = memmem(body, size, name, strlen(name));
    if (!at) return;
    at += strlen(name);
    char *end = memchr(at, '\\', size - (size_t)(at - body));
    if (!end || (size_t)(end - at) >= room) return;
    memcpy(to, at, (size_t)(end - at));
    to[end - at] = 0;
}

static void latency(const char *body, size_t size) {
    char *at = FIND(body, size, "content\\\":\\\"T");
    if (at) latency_add(read_at - strtoull(at + sizeof "content\\\":\\\"T" - 1, NULL, 16));
}

static void number(struct conn *c, const char *body, size_t size) {
    char *at = FIND(body, size < 100 ? size : 100, "seq\\\":");
    if (!at) return;
    uint64_t seq = strtoull(at + 6, NULL, 10);
    if (size > 20 && FIND(body + size - 20, 20, "#lobby"))
        c->room_seq = seq;
    else
        c->private_seq = seq;
    if (!*epoch) copy_member(body, size, "epoch\\\":\\\"", epoch, sizeof epoch);
}

static void unexpected(uint64_t *counter, const char *body, size_t size) {
    if ((*counter)++ < SHOWN) fprintf(stderr, "load: %.*s\n", (int)(size < 300 ? size : 300), body);
}

static bool is_good(const char *body, size_t size) {
    return FIND(body, size < 64 ? size : 64, "code\\\":200") != NULL;
}

static void logged_in(struct conn *c, const char *body, size_t size) {
    if (!is_good(body, size)) {
        unexpected(&counts.refused, body, size);
        return;
    }
    if (orders.tokens && orders.how != USE_TOKEN)
        copy_member(body, size, "token\\\":\\\"", orders.tokens[c->user], TOKEN_SIZE);
    on_entered(c);
}

static void other(struct conn *c, char *body, size_t size) {
    if (STARTS(body, size, TYPE("SmsResMes"))) {
        if (!is_good(body, size)) unexpected(&counts.refused, body, size);
        on_answered(c, 1);
    } else if (STARTS(body, size, TYPE("PresenceMes"))) {
        counts.presence_frames++;
        counts.presence_bytes += size;
    } else if (STARTS(body, size, TYPE("HistoryResMes"))) {
        if (!is_good(body, size)) unexpected(&counts.refused, body, size);
        on_page(c);
    } else if (STARTS(body, size, TYPE("LoginResMes"))) {
        logged_in(c, body, size);
    } else if (STARTS(body, size, TYPE("RegisterResMes"))) {
        if (!is_good(body, size)) unexpected(&counts.refused, body, size);
        if (orders.how == REGISTER) on_entered(c);
    } else if (STARTS(body, size, TYPE("ErrorMes")) || STARTS(body, size, TYPE("ByeMes"))) {
        unexpected(&counts.errors, body, size);
    }
}

static size_t chat_take(struct conn *c, char *bytes, size_t size) {
    char *at = bytes, *end = bytes + size, *last = NULL;
    size_t last_size = 0;
    uint64_t told = 0;
    while (end - at >= 4) {
        uint32_t head;
        memcpy(&head, at, 4);
        size_t length = ntohl(head);
        if (length > LARGEST_UNIT - 4) die("a frame of %zu bytes", length);
        if ((size_t)(end - at) < 4 + length) break;
        if (STARTS(at + 4, length, TYPE("SmsMes"))) {
            told++;
            last = at + 4;
            last_size = length;
            if (orders.every_latency && !c->slow) latency(last, length);
        } else {
            unsigned life = c->life;
            other(c, at + 4, length);
            if (c->life != life) return size; /* it was closed, or is another connection now */
        }
        at += 4 + length;
    }
    if (told) {
        c->told += told;
        counts.told += told;
        number(c, last, last_size);
        if (!orders.every_latency) latency(last, last_size);
    }
    return (size_t)(at - bytes);
}

const struct dialect chat = {chat_take, chat_enter, chat_say};
