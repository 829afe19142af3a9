#include "ingest/dpdk_ports.h"

#include <rte_telemetry.h>

#include <ctype.h>
#include <pthread.h>
#include <string.h>

enum { COMMANDS_MAX = 16, NAME_MAX_LEN = 64 };

/* Commands stay with the framework for good; who answers may go. */
static struct {
    pthread_mutex_t lock;
    struct command {
        char name[NAME_MAX_LEN];
        void (*fill)(void *ctx, struct port_answer *a);
        void *ctx;
    } command[COMMANDS_MAX];
    unsigned n;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct answer_of {
    struct port_answer answer; /* first: what the filler holds */
    struct rte_tel_data *top, *inside;
    char inside_name[NAME_MAX_LEN];
};

static void clean_name(char to[static NAME_MAX_LEN], const char *name)
{
    size_t i = 0;
    for (; name[i] != '\0' && i < NAME_MAX_LEN - 1; i++)
        to[i] = name[i];
    to[i] = '\0';
    for (; i-- > 0;)
        if (!isalnum((unsigned char)to[i]) && to[i] != '_' && to[i] != '/')
            to[i] = '_';
}

static struct rte_tel_data *at(const struct answer_of *a)
{
    return a->inside != NULL ? a->inside : a->top;
}

static void number(struct port_answer *answer, const char *name, uint64_t value)
{
    struct answer_of *a = (struct answer_of *)answer;
    char clean[NAME_MAX_LEN];
    clean_name(clean, name);
    (void)rte_tel_data_add_dict_u64(at(a), clean, value);
}

static void text(struct port_answer *answer, const char *name, const char *value)
{
    struct answer_of *a = (struct answer_of *)answer;
    char clean[NAME_MAX_LEN], printable[RTE_TEL_MAX_STRING_LEN];
    size_t i = 0;
    clean_name(clean, name);
    for (; value[i] != '\0' && i < sizeof printable - 1; i++) /* the framework escapes nothing */
        printable[i] = isprint((unsigned char)value[i]) && value[i] != '"' && value[i] != '\\'
                           ? value[i]
                           : '?';
    printable[i] = '\0';
    (void)rte_tel_data_add_dict_string(at(a), clean, printable);
}

static void begin(struct port_answer *answer, const char *name)
{
    struct answer_of *a = (struct answer_of *)answer;
    if (a->inside != NULL)
        return;
    a->inside = rte_tel_data_alloc();
    if (a->inside == NULL)
        return; /* its entries come one level up: better than none */
    clean_name(a->inside_name, name);
    (void)rte_tel_data_start_dict(a->inside);
}

static void end(struct port_answer *answer)
{
    struct answer_of *a = (struct answer_of *)answer;
    if (a->inside == NULL)
        return;
    if (rte_tel_data_add_dict_container(a->top, a->inside_name, a->inside, 0) != 0)
        rte_tel_data_free(a->inside);
    a->inside = NULL;
}

static int answer(const char *cmd, const char *params, struct rte_tel_data *d)
{
    struct answer_of a = {.answer = {.number = number, .text = text, .begin = begin, .end = end},
                          .top = d};
    (void)params;
    (void)rte_tel_data_start_dict(d);
    pthread_mutex_lock(&table.lock);
    for (unsigned i = 0; i < table.n; i++)
        if (table.command[i].fill != NULL && strcmp(table.command[i].name, cmd) == 0)
            table.command[i].fill(table.command[i].ctx, &a.answer);
    pthread_mutex_unlock(&table.lock);
    end(&a.answer);
    return 0;
}

bool telemetry_add(struct ports *p, const char *command, const char *help,
                   void (*fill)(void *ctx, struct port_answer *a), void *ctx, struct err *e)
{
    (void)p;
    pthread_mutex_lock(&table.lock);
    bool fits = table.n < COMMANDS_MAX && strlen(command) < NAME_MAX_LEN;
    if (fits) {
        struct command *c = &table.command[table.n++];
        snprintf(c->name, sizeof c->name, "%s", command);
        c->fill = fill;
        c->ctx = ctx;
    }
    pthread_mutex_unlock(&table.lock);
    if (!fits || rte_telemetry_register_cmd(command, answer, help) != 0) {
        err_set(e, "telemetry command %s: not taken", command);
        return false;
    }
    return true;
}

void telemetry_clear(void)
{
    pthread_mutex_lock(&table.lock);
    for (unsigned i = 0; i < table.n; i++)
        table.command[i].fill = NULL;
    pthread_mutex_unlock(&table.lock);
}
