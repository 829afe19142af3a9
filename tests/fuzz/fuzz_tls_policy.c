/* A policy file of any bytes: loaded or refused with a place; what was loaded reads back from its
 * dump to the same, has one hash, and can be asked about any offer. */
#define _GNU_SOURCE /* memfd_create */
#include "core/text.h"
#include "enrich/tls_policy.h"
#include "enrich/tls_whatif.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool load_bytes(struct tls_policy *p, const void *bytes, size_t len, struct err *e)
{
    static int fd = -1;
    char path[32];
    if (fd < 0)
        fd = memfd_create("policy", 0);
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, bytes, len, 0) != (ssize_t)len)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    e->text[0] = '\0';
    return tls_policy_load(p, path, e);
}

static char *dump_of(const struct tls_policy *p)
{
    struct text_sink t = {0};
    tls_policy_dump(p, &t);
    if (t.failed)
        abort();
    return t.p;
}

static void ask(const struct tls_policy *p)
{
    static struct offer o;
    struct whatif_answer a;
    offer_init(&o);
    o.legacy_version = 0x0303;
    for (uint16_t v = 0x0300; v <= 0x0304; v++)
        o.versions[o.n_versions++] = v;
    for (unsigned c = 0; c < OFFER_CIPHERS_MAX; c++)
        o.ciphers[o.n_ciphers++] = (uint16_t)(c < 128 ? 0xc000 + c : c);
    o.groups[o.n_groups++] = 23;
    o.signatures[o.n_signatures++] = 0x0804;
    tls_whatif(p, &o, true, NULL, &a);
    if (a.result >= WHATIF_N || a.reason >= WHY_N
        || (a.result == WHATIF_CONNECT) != (a.version != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tls_policy p, before, back;
    struct err e;
    p = before = tls_policy_default();
    if (!load_bytes(&p, data, size, &e)) {
        unsigned line, column;
        if (sscanf(e.text, "/proc/self/fd/%*d:%u:%u: ", &line, &column) != 2 || line == 0
            || column == 0)
            abort(); /* every refusal names its place */
        if (memcmp(&p, &before, sizeof p) != 0)
            abort();
        return 0;
    }
    char *text = dump_of(&p), first[17], second[17];
    back = tls_policy_default();
    if (!load_bytes(&back, text, strlen(text), &e))
        abort();
    char *again = dump_of(&back);
    tls_policy_hash(&p, first);
    tls_policy_hash(&back, second);
    if (strcmp(text, again) != 0 || strcmp(first, second) != 0)
        abort();
    ask(&p);
    free(text);
    free(again);
    return 0;
}
