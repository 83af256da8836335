/* The load: users by the thousand on one core, and every delivery to each of them counted.
 *
 *     load MODE port=N users=N [name=value ...]      prints one line of JSON
 *
 * traffic   room senders and pairs of users talk, each with a window of unanswered messages or at
 *           a fixed rate; pages are read, marks moved, and some users hardly read
 * logins    connections log in and close, `parallel` at a time
 * idle      users log in and stay; the memory of the processes `pids` before and after
 * history   one user reads pages of 50 at random places of a long conversation
 * storm     `comers` log in among `users`, and later all leave at once
 */

#define _GNU_SOURCE
#include "measure.h"
#include "net.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define ACK_SLICES 100
#define QUIET (SECOND * 3 / 10)
#define PATIENCE (20 * SECOND) /* without any sign of progress */

static double users = 100, senders, window, rate, pairs, pair_window, pair_rate, page_rate, slow,
    sip = 512, acks, pings, seconds = 3, warm = 1, parallel = 32, comers, top, port, base = 1000,
    size = 100, leaving = 3, tls;
static char *mode, *how = "register", *dialect = "chat", *conversation = "#lobby", *pids_text = "";

static struct conn *conns;
static int conns_count, entered_count;
static bool sending;
static uint64_t room_said;

/* What happens now and then -------------------------------------------------------------------- */

struct ticker {
    void (*act)(uint64_t due);
    uint64_t every, due;
};

static int ready_conns(void) { return (int)users - (int)slow; }

static void say(struct conn *c, struct conn *to, uint64_t stamp) {
    if (c->fd < 0) return;
    orders.dialect->say(c, to, stamp);
    c->sent++;
    c->waiting++;
    if (to) {
        to->due++;
    } else {
        c->said++;
        room_said++;
    }
}

static void say_to_room(uint64_t due) {
    static unsigned turn;
    struct conn *c = &conns[turn++ % (unsigned)senders];
    say(c, NULL, due);
    net_flush(c);
}

static void say_to_partner(uint64_t due) {
    static unsigned turn;
    struct conn *c = &conns[2 * (turn++ % (unsigned)pairs)];
    say(c, c->partner, due);
    net_flush(c);
}

static void ask_for_page(uint64_t due) {
    static unsigned turn;
    (void)due;
    struct conn *c = &conns[turn++ % (unsigned)ready_conns()];
    chat_page(c, conversation, c->room_seq > 100 ? c->room_seq - 50 : 0);
    net_flush(c);
}

static void acknowledge(uint64_t due) {
    static unsigned slice;
    (void)due;
    for (int i = (int)(slice++ % ACK_SLICES); i < ready_conns(); i += ACK_SLICES) {
        struct conn *c = &conns[i];
        if (c->fd < 0) continue;
        if (c->room_seq > c->room_acked) chat_ack(c, false);
        if (c->private_seq > c->private_acked && c->partner) chat_ack(c, true);
        c->room_acked = c->room_seq;
        c->private_acked = c->private_seq;
        net_flush(c);
    }
}

static void read_slowly(uint64_t due) {
    (void)due;
    for (int i = ready_conns(); i < (int)users; i++) net_sip(&conns[i], (size_t)sip);
}

static void ping(uint64_t due) {
    static unsigned turn;
    (void)due;
    struct conn *c = &conns[turn++ % (unsigned)users];
    if (c->fd < 0) return;
    chat_ping(c);
    net_flush(c);
}

static struct ticker tickers[6];
static int tickers_count;

static void every(double per_second, void (*act)(uint64_t)) {
    if (per_second <= 0) return;
    uint64_t interval = (uint64_t)(1e9 / per_second);
    tickers[tickers_count++] = (struct ticker){act, interval, now() + interval};
}

static void run_until(uint64_t end) {
    uint64_t at;
    while ((at = now()) < end) {
        uint64_t next = end;
        for (struct ticker *t = tickers; t < tickers + tickers_count; t++) {
            for (; t->due <= at; t->due += t->every) t->act(t->due);
            if (t->due < next) next = t->due;
        }
        net_turn(next);
    }
}

static void run_for(double time) { run_until(now() + (uint64_t)(time * 1e9)); }

static void run_until_quiet(void) {
    uint64_t bytes, give_up = now() + PATIENCE;
    do {
        bytes = counts.bytes;
        run_until(now() + QUIET);
    } while (counts.bytes - bytes > users && now() < give_up);
}

/* Answers -------------------------------------------------------------------------------------- */

static struct conn *dirty[1024];
static int dirty_count;

/* Logging in and closing again and again, for `logins` and for registering. */
static struct {
    bool on;
    int next, end, done, users; /* end 0: for ever */
} cycle;

static void begin(struct conn *c, int user) {
    net_open(c, user);
    orders.dialect->enter(c);
}

void on_entered(struct conn *c) {
    if (!cycle.on) {
        if (!c->entered) entered_count++;
        c->entered = true;
        return;
    }
    latency_add(read_at - c->opened);
    counts.replies++;
    cycle.done++;
    net_close(c);
    if (cycle.on && (!cycle.end || cycle.next < cycle.end)) begin(c, cycle.next++ % cycle.users);
}

void on_answered(struct conn *c, unsigned count) {
    counts.replies += count;
    c->waiting -= count < c->waiting ? count : c->waiting;
    if (sending && !c->dirty && dirty_count < 1024) {
        c->dirty = true;
        dirty[dirty_count++] = c;
    }
}

void on_page(struct conn *c) {
    counts.pages++;
    if (sending && !strcmp(mode, "history")) {
        latency_add(read_at - c->opened);
        c->opened = now();
        chat_page(c, conversation, 51 + (uint64_t)(drand48() * (top - 51)));
        net_flush(c);
    }
}

struct conn *by_user(int user) {
    return user >= 0 && user < conns_count ? &conns[user] : NULL;
}

static void refill(struct conn *c) {
    bool in_pair = c->partner && c - conns < 2 * (int)pairs && (c - conns) % 2 == 0;
    int most = in_pair ? (int)pair_window : c - conns < (int)senders ? (int)window : 0;
    uint64_t stamp = now();
    while ((int)c->waiting < most) say(c, in_pair ? c->partner : NULL, stamp);
    net_flush(c);
}

void on_handled(void) {
    for (int i = 0; i < dirty_count; i++) {
        dirty[i]->dirty = false;
        refill(dirty[i]);
    }
    dirty_count = 0;
}

/* Coming and going ----------------------------------------------------------------------------- */

static void enter(int from, int to) {
    int target = entered_count + to - from, start = entered_count, next = from;
    uint64_t last = now();
    for (int before = entered_count; entered_count < target;) {
        while (next < to && next - from - (entered_count - start) < (int)parallel) {
            begin(&conns[next], next);
            next++;
        }
        run_until(now() + SECOND / 20);
        if (entered_count != before) last = now();
        before = entered_count;
        if (counts.refused || now() - last > PATIENCE)
            die("only %d of %d users came in", entered_count, target);
    }
}

/* Let `cycle` run: for a number of users, or for some seconds. */
static void cycle_through(int count, double time) {
    cycle.on = true;
    cycle.next = cycle.done = 0;
    cycle.end = count;
    cycle.users = count ? count : (int)users;
    int slots = count && count < (int)parallel ? count : (int)parallel;
    for (int i = 0; i < slots; i++) {
        int user = cycle.next++;
        begin(&conns[i], user % cycle.users);
    }
    uint64_t last = now();
    for (int before = 0; count && cycle.done < count; before = cycle.done) {
        run_until(now() + SECOND / 20);
        if (cycle.done != before) last = now();
        if (counts.refused || now() - last > PATIENCE)
            die("only %d of %d were served", cycle.done, count);
    }
    if (!count) run_for(time);
}

static void stop_cycle(void) {
    cycle.on = false;
    for (int i = 0; i < conns_count; i++) net_close(&conns[i]);
}

static void register_all(int count) {
    orders.how = REGISTER;
    cycle_through(count, 0);
    cycle.on = false;
    orders.how = LOG_IN;
}

/* Modes ---------------------------------------------------------------------------------------- */

static uint64_t missing(void) {
    uint64_t sum = 0;
    for (int i = 0; i < ready_conns(); i++) {
        uint64_t due = (senders > 0 ? room_said - conns[i].said : 0) + conns[i].due;
        if (conns[i].told < due) sum += due - conns[i].told;
    }
    return sum;
}

static uint64_t unanswered(void) {
    uint64_t sum = 0;
    for (int i = 0; i < ready_conns(); i++) sum += conns[i].waiting;
    return sum;
}

/* Wait until everything that was sent has arrived everywhere. */
static void drain(void) {
    uint64_t last = now(), before = counts.bytes;
    sending = false;
    while ((missing() || unanswered()) && now() - last < 3 * SECOND) {
        run_until(now() + SECOND / 50);
        if (counts.bytes != before) last = now();
        before = counts.bytes;
    }
}

static void start_traffic(void) {
    if (orders.dialect == &irc) conns[ready_conns() - 1].witness = senders > 0;
    for (int i = 0; i < (int)pairs; i++) {
        struct conn *one = &conns[2 * i], *other = &conns[2 * i + 1];
        one->partner = other;
        other->partner = one;
        other->witness = orders.dialect == &irc;
    }
    for (int i = ready_conns(); i < (int)users; i++) net_slow(&conns[i]);
    for (int i = 0; i < conns_count; i++) conns[i].told = 0;
    every(rate, say_to_room);
    every(pair_rate, say_to_partner);
    every(page_rate, ask_for_page);
    if (orders.dialect == &chat) every(acks * ACK_SLICES, acknowledge);
    if (slow > 0) every(10, read_slowly);
    sending = window > 0 || pair_window > 0;
    for (int i = 0; i < conns_count; i++) refill(&conns[i]);
}

static void traffic(void) {
    enter(0, (int)users);
    run_until_quiet();
    double memory[PIDS];
    start_traffic();
    run_for(warm);
    latency_reset();
    struct moment a = moment();
    uint64_t said = room_said;
    run_for(seconds);
    struct moment b = moment();
    for (int i = 0; i < pids_count; i++) memory[i] = memory_of(pids[i]);
    print_span("", a, b);
    said = room_said - said;
    tickers_count = 0;
    for (int i = ready_conns(); i < (int)users; i++) conns[i].waiting = 0;
    drain();
    printf(", \"sent\": %" PRIu64 ", \"missing\": %" PRIu64 ", \"unanswered\": %" PRIu64, said,
           missing(), unanswered());
    print_list("memory_kib", memory);
}

static void logins(void) {
    orders.tokens = calloc((size_t)users, TOKEN_SIZE);
    register_all((int)users);
    if (!strcmp(how, "token")) {
        cycle_through((int)users, 0);
        orders.how = USE_TOKEN;
    }
    cycle_through(0, warm);
    /* The slots go on as they are: only what is counted starts anew. */
    latency_reset();
    struct moment a = moment();
    run_for(seconds);
    struct moment b = moment();
    stop_cycle();
    print_span("", a, b);
}

static void idle(void) {
    double before[PIDS], after[PIDS];
    if (orders.dialect == &chat) register_all((int)users);
    run_for(1);
    run_until_quiet();
    for (int i = 0; i < pids_count; i++) before[i] = memory_of(pids[i]);
    enter(0, (int)users);
    run_until_quiet();
    run_for(warm);
    for (int i = 0; i < pids_count; i++) after[i] = memory_of(pids[i]);
    struct moment a = moment();
    run_for(seconds);
    struct moment b = moment();
    print_span("", a, b);
    if (pings > 0 && orders.dialect == &chat) {
        every(users / pings, ping);
        a = moment();
        run_for(seconds);
        b = moment();
        printf(", ");
        print_span("pinging_", a, b);
    }
    printf(", \"users\": %d", (int)users);
    print_list("memory_before_kib", before);
    print_list("memory_after_kib", after);
}

static void history(void) {
    enter(0, 1);
    run_until_quiet();
    sending = true;
    conns[0].opened = now();
    chat_page(&conns[0], conversation, 0);
    net_flush(&conns[0]);
    run_for(warm);
    latency_reset();
    struct moment a = moment();
    run_for(seconds);
    struct moment b = moment();
    print_span("", a, b);
}

static void storm(void) {
    register_all((int)(users + comers));
    enter(0, (int)users);
    run_until_quiet();
    every(rate, say_to_room);
    run_for(warm);
    latency_reset();
    struct moment a = moment(), b;
    run_for(seconds);
    b = moment();
    print_span("calm_", a, b);
    latency_reset();
    a = moment();
    enter((int)users, (int)(users + comers));
    b = moment();
    printf(", ");
    print_span("coming_", a, b);
    run_for(1);
    latency_reset();
    a = moment();
    for (int i = (int)users; i < conns_count; i++) net_close(&conns[i]);
    run_for(leaving);
    b = moment();
    printf(", ");
    print_span("leaving_", a, b);
}

/* Options -------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    double *number;
    char **text;
} options[] = {
    {"users", &users, 0}, {"senders", &senders, 0}, {"window", &window, 0}, {"rate", &rate, 0},
    {"pairs", &pairs, 0}, {"pair_window", &pair_window, 0}, {"pair_rate", &pair_rate, 0},
    {"page_rate", &page_rate, 0}, {"slow", &slow, 0}, {"sip", &sip, 0}, {"acks", &acks, 0},
    {"pings", &pings, 0}, {"seconds", &seconds, 0}, {"warm", &warm, 0}, {"base", &base, 0},
    {"parallel", &parallel, 0}, {"comers", &comers, 0}, {"top", &top, 0}, {"port", &port, 0},
    {"size", &size, 0}, {"leaving", &leaving, 0}, {"tls", &tls, 0}, {"how", 0, &how}, {"dialect", 0, &dialect},
    {"conversation", 0, &conversation}, {"pids", 0, &pids_text},
};

static void read_option(char *argument) {
    char *value = strchr(argument, '=');
    if (value) {
        *value++ = 0;
        for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
            if (strcmp(options[i].name, argument)) continue;
            if (options[i].number) *options[i].number = atof(value);
            if (options[i].text) *options[i].text = value;
            return;
        }
    }
    die("%s is no option", argument);
}

static void prepare(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    measure_pids(pids_text);
    conns_count = (int)(users + comers) > (int)parallel ? (int)(users + comers) : (int)parallel;
    conns = calloc((size_t)conns_count, sizeof *conns);
    if (!conns) die("out of memory");
    for (int i = 0; i < conns_count; i++) conns[i].fd = -1;
    for (int i = ready_conns(); i < (int)users; i++) conns[i].slow = true;
    orders.dialect = strcmp(dialect, "irc") ? &chat : &irc;
    orders.how = !strcmp(how, "password") ? LOG_IN : REGISTER_AND_LOG_IN;
    orders.tls = tls > 0;
    orders.port = (int)port;
    orders.base = (int)base;
    orders.size = (int)size;
    orders.every_latency = window <= 0 && pair_window <= 0;
    snprintf(orders.run, sizeof orders.run, "%x-%" PRIx64, getpid(), now() & 0xffffff);
    net_start();
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(void);
    } modes[] = {{"traffic", traffic}, {"logins", logins}, {"idle", idle}, {"history", history},
                 {"storm", storm}};
    if (count < 2) die("which mode?");
    mode = arguments[1];
    for (int i = 2; i < count; i++) read_option(arguments[i]);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(modes[i].name, mode)) continue;
        prepare();
        printf("{");
        modes[i].run();
        printf("}\n");
        return 0;
    }
    die("%s is no mode", mode);
}
