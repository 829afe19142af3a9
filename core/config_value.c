#include "core/config_value.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

bool config_value_number(const char *text, uint64_t min, uint64_t max, uint64_t *to, struct err *e)
{
    uint64_t n = 0;
    bool ok = text[0] != '\0' && (text[0] != '0' || text[1] == '\0');
    for (const char *p = text; ok && *p != '\0'; p++)
        ok = isdigit((unsigned char)*p) && !__builtin_mul_overflow(n, UINT64_C(10), &n)
             && !__builtin_add_overflow(n, (uint64_t)(*p - '0'), &n);
    if (!ok || n < min || n > max) {
        err_set(e, "\"%.40s\" does not fit; a decimal number from %" PRIu64 " to %" PRIu64, text,
                min, max);
        return false;
    }
    *to = n;
    return true;
}

bool config_value_word(const char *text, const char *const words[], unsigned n, unsigned *to,
                       struct err *e)
{
    char known[256] = "";
    size_t at = 0;
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(words[i], text) == 0) {
            *to = i;
            return true;
        }
        if (at < sizeof known)
            at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i > 0 ? ", " : "",
                                   words[i]);
    }
    err_set(e, "\"%.40s\" is not known; one of: %s", text, known);
    return false;
}

bool config_value_label(const char *text, char *to, size_t size, struct err *e)
{
    size_t len = strlen(text);
    bool ok = len > 0 && len < size;
    for (size_t i = 0; ok && i < len; i++)
        ok = isalnum((unsigned char)text[i]) || strchr("._-", text[i]) != NULL;
    if (!ok) {
        err_set(e, "\"%.70s\" does not fit; 1 to %zu of A-Z a-z 0-9 . _ -", text, size - 1);
        return false;
    }
    memset(to, 0, size);
    memcpy(to, text, len);
    return true;
}
