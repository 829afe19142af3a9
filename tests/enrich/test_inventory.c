/* The inventory: which lines are taken, and what is said of the others. */
#include "enrich/inventory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/tellscope-inventory-XXXXXX";

static bool load(struct inventory **inv, const char *text, size_t len, struct err *e)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    fclose(f);
    return inventory_load(inv, path, e);
}

#define LONG "0123456789012345678901234567890123456789012345678901234567890123"
#define FITS "012345678901234567890123456789012345678901234567890123456789012"

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *csv, *want;
    } rows[] = {
        {"ac:ca:54:00:70:15,a,b", "1: fewer fields than four; MAC,customer,product,firmware"},
        {"ac:ca:54:00:70:15", "1: fewer fields than four"},
        {"ac:ca:54:00:70:15,a,b,c,d", "1: more fields than four"},
        {"ac:ca:54:00:70:15,a,b,c\n\nac:ca:54:00:70:16,a,b,c,\n", "3: more fields than four"},
        {"MAC,customer,product\n", "1: \"MAC\" is no MAC address; as ac:ca:54:00:70:15"},
        {"ac:ca:54:00:70:15,a,b,c\nMAC,customer,product,firmware\n", "2: \"MAC\" is no MAC"},
        {"ac:ca:54:00:70,a,b,c", "1: \"ac:ca:54:00:70\" is no MAC"},
        {"ac:ca:54:00:70:1g,a,b,c", "1: \"ac:ca:54:00:70:1g\" is no MAC"},
        {"ac:ca-54:00:70:15,a,b,c", "1: \"ac:ca-54:00:70:15\" is no MAC"},
        {"accca:54:00:70:15,a,b,c", "1: \"accca:54:00:70:15\" is no MAC"},
        {",a,b,c", "1: \"\" is no MAC"},
        {"ac:ca:54:00:70:15,\"a,b,c", "1: a quote is not closed"},
        {"ac:ca:54:00:70:15,\"a\"x,b,c", "1: text behind a closing quote; a comma belongs there"},
        {"ac:ca:54:00:70:15,a\"x\",b,c", "1: a quote within a field; a field with quotes begins"},
        {"ac:ca:54:00:70:15," LONG ",b,c", "1: customer does not fit; UTF-8 of at most 63 bytes"},
        {"ac:ca:54:00:70:15,a,b\x1b,c", "1: product does not fit"},
        {"ac:ca:54:00:70:15,a,b,\xff", "1: firmware does not fit"},
        {"ac:ca:54:00:70:15,a,b,\xc3", "1: firmware does not fit"},
        {"ac:ca:54:00:70:15,a,b,\xc2\x9b", "1: firmware does not fit"}, /* CSI of ECMA-48 */
        {"#\nac:ca:54:00:70:15,a,b,c\nACCA54007015,d,e,f\n",
         "3: this MAC stands in line 2 already"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct inventory *inv;
        struct err e;
        char want[600];
        bool ok = load(&inv, rows[i].csv, strlen(rows[i].csv), &e);
        snprintf(want, sizeof want, "%s:%s", path, rows[i].want);
        if (ok || strncmp(e.text, want, strlen(want)) != 0)
            fail_msg("%s\n gives: %s\n wants: %s", rows[i].csv, ok ? "ok" : e.text, want);
    }
    struct inventory *inv;
    struct err e;
    char want[200], line[2000];
    assert_false(load(&inv, "#\n\0", 3, &e));
    snprintf(want, sizeof want, "%s:2: a NUL byte; text only", path);
    assert_string_equal(e.text, want);
    memset(line, '#', sizeof line);
    assert_false(load(&inv, line, sizeof line, &e));
    snprintf(want, sizeof want, "%s:1: the line is too long; at most 1023 bytes", path);
    assert_string_equal(e.text, want);
    assert_false(inventory_load(&inv, "/nowhere/i.csv", &e));
    assert_string_equal(e.text, "/nowhere/i.csv: No such file or directory");
    assert_false(inventory_load(&inv, "/", &e));
}

static void answers(void **state)
{
    (void)state;
    static const char text[] =
        "\xef\xbb\xbfmac,Customer,product,firmware\r\n"
        "# a comment\r\n"
        "\r\n"
        "ac:ca:54:00:70:15,\"G\xc3\xb6ran, \"\"G\"\"\",ZNet Lite v2,1.3.2\r\n"
        "AC-CA-54-00-00-02,,,\n"
        "acca54000001," FITS ",\"\",2";
    struct inventory *inv;
    struct err e;
    if (!load(&inv, text, sizeof text - 1, &e))
        fail_msg("%s", e.text);
    const struct inventory_entry *i =
        inventory_find(inv, (uint8_t[]){0xac, 0xca, 0x54, 0, 0x70, 0x15});
    assert_non_null(i);
    assert_string_equal(i->customer, "G\xc3\xb6ran, \"G\"");
    assert_string_equal(i->product, "ZNet Lite v2");
    assert_string_equal(i->firmware, "1.3.2");
    i = inventory_find(inv, (uint8_t[]){0xac, 0xca, 0x54, 0, 0, 2});
    assert_non_null(i);
    assert_string_equal(i->customer, "");
    assert_string_equal(i->firmware, "");
    i = inventory_find(inv, (uint8_t[]){0xac, 0xca, 0x54, 0, 0, 1});
    assert_non_null(i);
    assert_string_equal(i->customer, FITS);
    assert_string_equal(i->firmware, "2");
    assert_null(inventory_find(inv, (uint8_t[]){0xac, 0xca, 0x54, 0, 0, 3}));
    inventory_free(inv);
    assert_true(load(&inv, "", 0, &e));
    assert_null(inventory_find(inv, (uint8_t[]){0xac, 0xca, 0x54, 0, 0, 3}));
    inventory_free(inv);
}

/* More lines than the first allocation holds, in no order. */
static void many(void **state)
{
    (void)state;
    enum { LINES = 3000 };
    char *text = malloc(LINES * 40), *at = text;
    struct inventory *inv;
    struct err e;
    for (unsigned i = 0; i < LINES; i++)
        at += sprintf(at, "acca5400%04x,c%u,p,f\n", i * 40503u % 65536, i);
    if (!load(&inv, text, (size_t)(at - text), &e))
        fail_msg("%s", e.text);
    for (unsigned i = 0; i < LINES; i++) {
        unsigned low = i * 40503u % 65536;
        char want[16];
        const struct inventory_entry *entry = inventory_find(
            inv, (uint8_t[]){0xac, 0xca, 0x54, 0, (uint8_t)(low >> 8), (uint8_t)low});
        sprintf(want, "c%u", i);
        assert_non_null(entry);
        assert_string_equal(entry->customer, want);
    }
    inventory_free(inv);
    free(text);
}

int main(void)
{
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(answers),
        cmocka_unit_test(many),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
