/* Finding and loading the module for live ports; this program itself holds nothing of DPDK. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/ports.h"

#include <stdio.h>
#include <stdlib.h>

static const struct port_api *api;

static void test_missing(void **state)
{
    (void)state;
    struct err e = {""};
    assert_int_equal(setenv("TELLSCOPE_PORTS", "/nonexistent/tellscope-dpdk.so", 1), 0);
    assert_false(ports_load(&api, &e));
    assert_non_null(strstr(e.text, "/nonexistent/tellscope-dpdk.so"));
    assert_non_null(strstr(e.text, "libdpdk-dev"));
    assert_null(strchr(e.text, '\n'));
}

/* Neither beside this program nor where it would be installed. */
static void test_not_there(void **state)
{
    (void)state;
    struct err e = {""};
    assert_int_equal(unsetenv("TELLSCOPE_PORTS"), 0);
    assert_false(ports_load(&api, &e));
    assert_non_null(strstr(e.text, "/tests/../lib"));
    assert_non_null(strstr(e.text, "/tellscope/tellscope-dpdk.so"));
}

static void test_no_module(void **state)
{
    (void)state;
    struct err e = {""};
    assert_int_equal(setenv("TELLSCOPE_PORTS", "/proc/self/exe", 1), 0);
    assert_false(ports_load(&api, &e));
    assert_non_null(strstr(e.text, "load the module for live ports: /proc/self/exe"));
}

static void test_loads(void **state)
{
    (void)state;
#ifdef TELLSCOPE_MODULE
    struct err e = {""};
    assert_int_equal(setenv("TELLSCOPE_PORTS", TELLSCOPE_MODULE, 1), 0);
    if (!ports_load(&api, &e))
        fail_msg("%s", e.text);
    assert_int_equal(api->abi, PORTS_ABI);
    assert_memory_equal(api->version(), "DPDK ", 5);
    /* every function is there */
    void (*const *f)(void) = (void (*const *)(void)) & api->version;
    for (; (const void *)f < (const void *)(api + 1); f++)
        assert_non_null(*f);
#else
    print_message("skipped: built without the module\n");
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_not_there),
        cmocka_unit_test(test_no_module),
        cmocka_unit_test(test_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
