/* What the processes under load cost, and what was counted between two moments, as JSON. */

#define _GNU_SOURCE
#include "measure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int pids_count, pids[PIDS];

void measure_pids(char *list) {
    for (char *at = strtok(list, ","); at && pids_count < PIDS; at = strtok(NULL, ","))
        pids[pids_count++] = atoi(at);
}

static double own_cpu(void) {
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static FILE *proc(int pid, const char *name) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    FILE *file = fopen(path, "r");
    if (!file) die("process %d has ended", pid);
    return file;
}

static double cpu_of(int pid) {
    char text[1024];
    unsigned long user = 0, system = 0;
    FILE *file = proc(pid, "stat");
    char *at = fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL;
    if (!at || sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                      &system) != 2)
        die("cannot read the time of process %d", pid);
    fclose(file);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

double memory_of(int pid) { /* KiB */
    unsigned long pages = 0;
    FILE *file = proc(pid, "statm");
    if (fscanf(file, "%*u %lu", &pages) != 1) die("cannot read the memory of process %d", pid);
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024;
}

struct moment moment(void) {
    struct moment m = {.at = now(), .counts = counts, .own_cpu = own_cpu()};
    for (int i = 0; i < pids_count; i++) m.cpu[i] = cpu_of(pids[i]);
    return m;
}

void print_list(const char *name, const double *values) {
    printf(", \"%s\": [", name);
    for (int i = 0; i < pids_count; i++) printf("%s%.3f", i ? ", " : "", values[i]);
    printf("]");
}

static void print_latency(const char *prefix) {
    printf(", \"%sp50_ms\": %.3f, \"%sp99_ms\": %.3f, \"%smeasured\": %" PRIu64, prefix,
           latency_at(0.5), prefix, latency_at(0.99), prefix, latency_count());
}

/* What happened between two moments, as members of a JSON object. */
void print_span(const char *prefix, struct moment a, struct moment b) {
    double cpu[PIDS];
    for (int i = 0; i < pids_count; i++) cpu[i] = b.cpu[i] - a.cpu[i];
    printf("\"%sseconds\": %.4f", prefix, (double)(b.at - a.at) / 1e9);
#define COUNT(name) \
    printf(", \"%s" #name "\": %" PRIu64, prefix, b.counts.name - a.counts.name)
    COUNT(told);
    COUNT(replies);
    COUNT(pages);
    COUNT(acked);
    COUNT(bytes);
    COUNT(refused);
    COUNT(errors);
    COUNT(lost);
    COUNT(presence_frames);
    COUNT(presence_bytes);
    printf(", \"%sload_cpu\": %.3f", prefix, b.own_cpu - a.own_cpu);
    char name[64];
    snprintf(name, sizeof name, "%scpu", prefix);
    print_list(name, cpu);
    print_latency(prefix);
}
