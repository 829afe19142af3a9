/* An inventory of any bytes: loaded, or refused with its line. What was loaded is found by its MAC.
 */
#define _GNU_SOURCE /* memfd_create */
#include "enrich/inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void text_check(const char *text)
{
    size_t len = strnlen(text, INVENTORY_TEXT_MAX);
    if (len >= INVENTORY_TEXT_MAX)
        abort();
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    char path[32];
    struct inventory *inv;
    struct err e = {""};
    if (fd < 0)
        fd = memfd_create("inventory", 0);
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (!inventory_load(&inv, path, &e)) {
        unsigned line;
        if (sscanf(e.text, "/proc/self/fd/%*d:%u: ", &line) != 1 || line == 0)
            abort();
        return 0;
    }
    static const uint8_t macs[][6] = {{0xac, 0xca, 0x54, 0, 0x70, 0x15}, {0}, {0xff}};
    for (unsigned i = 0; i < 3; i++) {
        const struct inventory_entry *entry = inventory_find(inv, macs[i]);
        if (entry == NULL)
            continue;
        if (memcmp(entry->mac, macs[i], 6) != 0)
            abort();
        text_check(entry->customer);
        text_check(entry->product);
        text_check(entry->firmware);
    }
    inventory_free(inv);
    return 0;
}
