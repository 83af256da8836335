/* Speaks IRC, as far as joining one channel and talking takes. */

#define _GNU_SOURCE
#include "net.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 3

static void line(struct conn *c, const char *text) {
    size_t size = strlen(text);
    memcpy(net_room(c, size + 2), text, size);
    memcpy(net_room(c, size + 2) + size, "\r\n", 2);
    net_wrote(c, size + 2);
}

static void irc_enter(struct conn *c) {
    char text[64];
    snprintf(text, sizeof text, "NICK u%d\r\nUSER u%d 0 * :u", c->user, c->user);
    line(c, text);
    net_flush(c);
}

static void irc_say(struct conn *c, struct conn *to, uint64_t stamp) {
    char text[600], name[24] = "#lobby";
    if (to) snprintf(name, sizeof name, "u%d", to->user);
    int size = snprintf(text, sizeof text, "PRIVMSG %s :T%016" PRIx64 " ", name, stamp);
    for (int i = 18; i < orders.size && size < 500; i++) text[size++] = "benchmark "[i % 10];
    text[size] = 0;
    line(c, text);
}

static void latency(const char *text, size_t size) {
    char *at = memmem(text, size, " :T", 3);
    if (at) latency_add(read_at - strtoull(at + 3, NULL, 16));
}

/* The witness of a message from `:u<number>!...`: it counts as answered. */
static void credit(const char *text) {
    if (text[1] != 'u') return;
    struct conn *sender = by_user(atoi(text + 2));
    if (sender) on_answered(sender, 1);
}

static void other(struct conn *c, const char *text, size_t size) {
    if (size > 5 && !memcmp(text, "PING ", 5)) {
        char answer[256];
        snprintf(answer, sizeof answer, "PONG %.*s", (int)(size - 5 < 200 ? size - 5 : 200), text + 5);
        line(c, answer);
        net_flush(c);
        return;
    }
    const char *space = text[0] == ':' ? memchr(text, ' ', size) : text - 1;
    if (!space || (size_t)(space - text) + 4 > size) return;
    if (!memcmp(space + 1, "376", 3) || !memcmp(space + 1, "422", 3)) {
        line(c, "JOIN #lobby");
        net_flush(c);
    } else if (!memcmp(space + 1, "366", 3)) {
        on_entered(c);
    } else if (!memcmp(space + 1, "ERRO", 4) || space[1] == '4' || space[1] == '5') {
        if (counts.errors++ < SHOWN) fprintf(stderr, "load: %.*s\n", (int)size, text);
    }
}

static size_t irc_take(struct conn *c, char *bytes, size_t size) {
    char *at = bytes, *end = bytes + size, *last = NULL, *stop;
    size_t last_size = 0;
    uint64_t told = 0;
    while ((stop = memchr(at, '\n', (size_t)(end - at)))) {
        size_t length = (size_t)(stop - at);
        char *space = at[0] == ':' ? memchr(at, ' ', length) : NULL;
        if (space && stop - space > 9 && !memcmp(space + 1, "PRIVMSG ", 8)) {
            told++;
            last = at;
            last_size = length;
            if (c->witness) credit(at);
            if (orders.every_latency && !c->slow) latency(at, length);
        } else if (length && at[0] != '\r') {
            other(c, at, at[length - 1] == '\r' ? length - 1 : length);
        }
        at = stop + 1;
    }
    if (told) {
        c->told += told;
        counts.told += told;
        if (!orders.every_latency) latency(last, last_size);
    }
    return (size_t)(at - bytes);
}

const struct dialect irc = {irc_take, irc_enter, irc_say};
