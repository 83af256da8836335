/* Many connections on one epoll: buffers, clocks, counters, and the two ways of speaking. */

#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECOND 1000000000ULL
#define LARGEST_UNIT 70000 /* bytes of the longest frame or line, its head included */
#define TOKEN_SIZE 64

/* One connection. Its deliveries are counted one by one, and compared with what was sent. */
struct conn {
    int fd;
    unsigned life;    /* raised when it closes: the same place may be used again */
    int user;         /* 0, 1, ...: who logs in on it */
    bool slow;        /* reads a little every now and then, and is not part of any result */
    bool writing;     /* the socket was full: the rest goes when it can be written to */
    bool dirty;       /* something was answered: it may send more */
    bool witness;     /* IRC: what it hears tells senders that their message has arrived */
    bool entered;     /* logged in, and in the room */
    char *left;       /* the start of a frame or line whose end has not come */
    char *out;        /* what could not be sent yet */
    size_t left_size, left_room, out_size, out_room;
    uint64_t room_seq, private_seq, room_acked, private_acked; /* newest numbers heard, told */
    uint64_t told;    /* messages of others that it got */
    uint64_t due;     /* private messages that were sent to it */
    uint64_t said;    /* messages that it sent to the room */
    uint64_t sent;    /* messages that it sent */
    uint64_t opened;  /* when it began to connect, ns */
    unsigned waiting; /* messages that it sent and that are not answered */
    struct conn *partner;
    void *tls;        /* see tls.h, or NULL */
};

/* One way of speaking with a server. */
struct dialect {
    /* Handle the whole frames or lines at the start of these bytes; return how many that were. */
    size_t (*take)(struct conn *, char *, size_t);
    void (*enter)(struct conn *);                                /* log in, join the room */
    void (*say)(struct conn *, struct conn *to, uint64_t stamp); /* to NULL: to the room */
};
extern const struct dialect chat, irc;
void chat_ack(struct conn *, bool private);
void chat_page(struct conn *, const char *conversation, uint64_t before);
void chat_ping(struct conn *);

/* What the connections are told to do; see load.c for the meaning of the options. */
enum entering { REGISTER_AND_LOG_IN, REGISTER, LOG_IN, USE_TOKEN };
struct orders {
    const struct dialect *dialect;
    enum entering how;
    int port, base, size;
    bool tls;
    bool every_latency; /* measure each delivery, not only the last of each read */
    char run[32];       /* makes the client ids of this run its own */
    char (*tokens)[TOKEN_SIZE];
};
extern struct orders orders;

/* Everything that is counted, since the start. */
struct counts {
    uint64_t told, replies, pages, acked, refused, errors, lost, bytes;
    uint64_t presence_frames, presence_bytes;
};
extern struct counts counts;

uint64_t now(void);                       /* ns, monotonic */
extern uint64_t read_at;                  /* when the bytes being handled were read */

void net_start(void);
void net_open(struct conn *, int user);
void net_close(struct conn *);
void net_slow(struct conn *);             /* from now on it is only read by net_sip */
void net_sip(struct conn *, size_t most);
char *net_room(struct conn *, size_t size); /* a place for that many bytes to send ... */
void net_wrote(struct conn *, size_t size); /* ... of which so many were written */
void net_flush(struct conn *);
void net_turn(uint64_t until);            /* wait no longer than until, handle what comes */

/* Latencies in whole microseconds, up to about four seconds. */
void latency_add(uint64_t ns);
void latency_reset(void);
uint64_t latency_count(void);
double latency_at(double share);          /* ms */

/* What a dialect reports; load.c has the answers. */
void on_entered(struct conn *);
void on_answered(struct conn *, unsigned count);
void on_page(struct conn *);
void on_handled(void);                    /* all that was read from one connection */
struct conn *by_user(int user);

void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
