/* A file of client types of any bytes: loaded, or refused with a place. Whatever was loaded can be
 * asked, and its texts are short and printable but for what is beyond ASCII. */
#define _GNU_SOURCE /* memfd_create */
#include "enrich/client_types.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void text_check(const char *text)
{
    if (strlen(text) >= CLIENT_TYPE_TEXT_MAX + 16)
        abort();
    for (; *text != '\0'; text++)
        if ((uint8_t)*text < 0x20 || *text == 0x7f)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    char path[32];
    struct client_types *t;
    struct err e = {""};
    if (fd < 0)
        fd = memfd_create("types", 0);
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (!client_types_load(&t, path, &e)) {
        unsigned line, column;
        if (sscanf(e.text, "/proc/self/fd/%*d:%u:%u: ", &line, &column) != 2 || line == 0
            || column == 0)
            abort();
        return 0;
    }
    struct bytes tail = {data, size < 64 ? (uint32_t)size : 64};
    static const char ja4[] = "t13d1516h2_8daaf6152771_e5627efa2ab1";
    const unsigned types[] = {
        client_types_of_hello(t, 0x605ae1f75429c0e2, tail),
        client_types_of_hello(t, 1, (struct bytes){(const uint8_t *)ja4, 36}),
        client_types_of_agent(t, tail),
    };
    for (unsigned i = 0; i < 3; i++)
        text_check(client_types_text(t, types[i]));
    if (types[1] != client_types_of_hello(t, 2, (struct bytes){(const uint8_t *)ja4, 36})
        && client_types_of_hello(t, 1, (struct bytes){0}) == 0
        && client_types_of_hello(t, 2, (struct bytes){0}) == 0)
        abort(); /* where no id is known the JA4 decides */
    client_types_free(t);
    return 0;
}
