/* Real captures: packet counts as the facts have them, bytes, times and lengths as libpcap has
 * them. */
#define _GNU_SOURCE /* memfd_create */
#include "tests/ingest/test_capture_bytes.h"

#include <jansson.h>
#include <pcap/pcap.h>

static json_t *load_facts(void)
{
    const char *shared = getenv("TELLSCOPE_SHARED");
    char path[4096];
    json_error_t error;
    snprintf(path, sizeof path, "%s/captures/facts.json",
             shared != NULL ? shared : TELLSCOPE_SHARED);
    json_t *facts = json_load_file(path, 0, &error);
    if (facts == NULL)
        print_message("skipped: %s: %s\n", path, error.text);
    return facts;
}

/* Every record was lent; some held more than they say was on the wire. */
static bool oversized(const struct err *e)
{
    return strstr(e->text, " were on the wire, the first of ") != NULL;
}

static void shared_path(char *path, size_t size, const char *name)
{
    const char *shared = getenv("TELLSCOPE_SHARED");
    snprintf(path, size, "%s/captures/%s", shared != NULL ? shared : TELLSCOPE_SHARED, name);
}

/* Where we differ from the facts, and why. */
static const struct {
    const char *part; /* of the name */
    unsigned packets;
} differ[] = {
    /* tshark shows custom blocks as frames; they are no packets */
    {"_basic_test017.pcapng", 0},
    {"_basic_test018.pcapng", 4},
    {"_advanced_test102.pcapng", 5},
    {"_difficult_test202.pcapng", 8},
    /* version 2.5, which libpcap refuses as well */
    {"pcap-invalid-version-2.pcap", 0},
};

static void test_facts(void **state)
{
    (void)state;
    json_t *facts = load_facts(), *fact;
    const char *name;
    unsigned wrong = 0, compared = 0;
    static struct seen s;
    if (facts == NULL)
        skip();
    json_object_foreach(facts, name, fact)
    {
        char path[4096];
        long long want = json_integer_value(json_object_get(fact, "packets"));
        shared_path(path, sizeof path, name);
        run_path(&s, path, BURST_MAX);
        for (size_t i = 0; i < sizeof differ / sizeof *differ; i++)
            if (strstr(name, differ[i].part) != NULL)
                want = differ[i].packets;
        if (json_integer_value(json_object_get(fact, "tshark_exit")) != 0)
            continue; /* it must only have come to an end */
        compared++;
        if (s.n != want || (s.end != SRC_END && want != 0 && !oversized(&s.e))) {
            wrong++;
            print_message("%s: %u, want %lld; %s\n", name, s.n, want, s.e.text);
        }
    }
    print_message("%u captures compared\n", compared);
    json_decref(facts);
    assert_true(compared > 0);
    assert_int_equal(wrong, 0);
}

/* libpcap cuts packets to the snap length that it believes, gives up at a second link type, and
 * wraps around times it cannot hold. Compares while it goes on. Returns how many packets agreed, or
 * -1. */
static int compare_with_libpcap(const char *path)
{
    char error[PCAP_ERRBUF_SIZE];
    struct pcap_pkthdr *head;
    const u_char *data;
    struct capture *c;
    struct err e;
    bool damaged;
    struct pkt p;
    int n = 0, more, got;
    pcap_t *oracle =
        pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, error);
    if (oracle == NULL)
        return 0;
    if (!capture_open(&c, path, &damaged, &e)) {
        pcap_close(oracle);
        return -1;
    }
    struct source source = capture_source(c);
    while ((more = pcap_next_ex(oracle, &head, &data)) == 1) {
        got = source.rx(source.ctx, &p, 1, &e);
        bool cut = got == 1 && p.cap_len > (uint32_t)pcap_snapshot(oracle);
        uint64_t ts_ns = (uint64_t)head->ts.tv_sec * NS + (uint64_t)head->ts.tv_usec;
        bool same = got == 1 && p.wire_len == head->len && (cut || p.cap_len == head->caplen)
                    && memcmp(p.bytes, data, head->caplen) == 0;
        bool timed = got == 1
                     && (p.ts_ns == ts_ns || head->ts.tv_usec < 0 || head->ts.tv_sec < 0
                         || head->ts.tv_sec == 0);
        if (!same || !timed) {
            n = -1;
            break;
        }
        n++;
    }
    if (n >= 0 && more == PCAP_ERROR_BREAK && source.rx(source.ctx, &p, 1, &e) != SRC_END
        && !oversized(&e))
        n = -1;
    capture_free(c);
    pcap_close(oracle);
    return n;
}

static void test_libpcap(void **state)
{
    (void)state;
    json_t *facts = load_facts(), *fact;
    const char *name;
    unsigned wrong = 0, packets = 0;
    if (facts == NULL)
        skip();
    json_object_foreach(facts, name, fact)
    {
        char path[4096];
        shared_path(path, sizeof path, name);
        int n = compare_with_libpcap(path);
        if (n < 0)
            print_message("%s: differs from libpcap\n", name);
        wrong += n < 0;
        packets += n < 0 ? 0 : (unsigned)n;
    }
    print_message("%u packets agree\n", packets);
    json_decref(facts);
    assert_true(packets > 0);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_libpcap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
