/* What the processes under load cost, and what was counted between two moments, as JSON. */

#ifndef MEASURE_H
#define MEASURE_H

#include "net.h"

#define PIDS 8

struct moment {
    uint64_t at;
    struct counts counts;
    double own_cpu, cpu[PIDS]; /* seconds since they began */
};

extern int pids_count, pids[PIDS];

void measure_pids(char *list); /* numbers with commas between them */
struct moment moment(void);
double memory_of(int pid); /* KiB */

/* Members of a JSON object: the first prints no comma before it, the second does. */
void print_span(const char *prefix, struct moment, struct moment);
void print_list(const char *name, const double *values);

#endif
