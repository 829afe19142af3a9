/* A live run's threads among each other, without DPDK: windows change hands, the clock is set, the
 * disk stops, a worker hangs or fails, signals come. Also to be run with ThreadSanitizer. */
#include "tests/cli/live_told.h"

#include <glob.h>

/* ---- windows change hands while the clock is set, the disk is slow and telemetry is asked */

static void *set_clock(void *arg)
{
    (void)arg;
    rig_sleep(2 * SECOND);
    atomic_fetch_add(&rig_step_ns, (int64_t)(30 * SECOND));
    rig_sleep(2 * SECOND);
    atomic_fetch_sub(&rig_step_ns, (int64_t)(20 * SECOND));
    return NULL;
}

static void hand_over(void)
{
    atomic_store(&rig_disk_ns, 2000000);
    int status = run(10, set_clock);
    CHECK(status == EXIT_OK, "exit status %d", status);
    balanced();
    CHECK(told.segments >= 8, "%u segments", told.segments);
    CHECK(told.clock_steps > 0, "no segment tells of the clock");
    CHECK(told.shutdown > 0, "no segment tells of the end");
    CHECK(strstr(table_text(), "\"clock_steps\":2") != NULL, "%s", table_text());
}

/* ---- what nobody watched is not covered: the clock jumped over it, a link was down */

static void *jump(void *arg)
{
    (void)arg;
    rig_sleep(3 * SECOND);
    atomic_fetch_add(&rig_step_ns, (int64_t)(90 * SECOND));
    return NULL;
}

static void clock_jumps(void)
{
    window_s = 300;
    uint64_t began = machine_ns();
    CHECK(run(6, jump) == EXIT_OK, "it fails");
    uint64_t lived_s = (machine_ns() - began) * SPEED / SECOND;
    balanced();
    CHECK(told.clock_steps > 0, "no segment tells of the clock");
    CHECK(told.watched_s >= 15 && told.watched_s <= lived_s, "%llu s watched of %llu",
          told.watched_s, (unsigned long long)lived_s);
}

static void *pull_cable(void *arg)
{
    (void)arg;
    rig_sleep(3 * SECOND);
    atomic_store(&rig_link, PORT_LINK_DOWN);
    rig_sleep(4 * SECOND);
    atomic_store(&rig_link, PORT_LINK_UP);
    return NULL;
}

static void link_goes_down(void)
{
    window_s = 300;
    uint64_t began = machine_ns();
    CHECK(run(9, pull_cable) == EXIT_OK, "it fails");
    uint64_t lived_s = (machine_ns() - began) * SPEED / SECOND;
    balanced();
    CHECK(told.watched_s >= 15 && told.watched_s <= lived_s - 4 * SPEED + 1,
          "%llu s watched of %llu, of which the link was down for %d", told.watched_s,
          (unsigned long long)lived_s, 4 * SPEED);
}

static void *take_device(void *arg)
{
    (void)arg;
    rig_sleep(2 * SECOND);
    atomic_store(&rig_link, PORT_LINK_GONE);
    return NULL;
}

static void device_is_gone(void)
{
    uint64_t began = machine_ns();
    int status = run(60, take_device);
    CHECK(status == EXIT_RUNTIME, "exit status %d", status);
    CHECK(machine_ns() - began < 40 * SECOND, "it went on without a port");
    balanced();
}

/* ---- the disk stops: workers do not, windows are dropped and told */

static _Atomic uint64_t polls_before, polls_after;

static uint64_t all_polls(void)
{
    uint64_t n = UINT64_MAX; /* of the slowest */
    for (unsigned i = 0; i < RIG_WORKERS; i++) {
        uint64_t polls = atomic_load(&rig_ports->w[i].polls);
        n = polls < n ? polls : n;
    }
    return n;
}

static void *stop_disk(void *arg)
{
    (void)arg;
    rig_sleep(4 * SECOND); /* so late that windows have begun to close */
    atomic_store(&rig_disk_stopped, true);
    atomic_store(&polls_before, all_polls());
    rig_sleep(4 * SECOND);
    atomic_store(&polls_after, all_polls());
    atomic_store(&rig_disk_stopped, false);
    return NULL;
}

static void disk_stops(void)
{
    config.live.backlog = 3;
    int status = run(11, stop_disk);
    CHECK(status == EXIT_RUNTIME, "exit status %d", status);
    CHECK(polls_after > polls_before + 10, "a worker stood still: %llu, %llu polls",
          (unsigned long long)polls_before, (unsigned long long)polls_after);
    balanced();
    unsigned long long dropped = number_in(table_text(), "\"dropped\":");
    CHECK(dropped >= 8, "%llu windows dropped in 20 s, with room for three", dropped);
    CHECK(told.dropped == dropped, "%llu windows were dropped, segments tell of %llu", dropped,
          told.dropped);
    CHECK(told.missed == number_in(table_text(), "\"missed\":"),
          "what was lost before us must be told in a later segment: %llu", told.missed);
}

/* The disk never comes back: the run ends within shutdown_s, and says what is lost. */
static void *stop_for_good(void *arg)
{
    (void)arg;
    pthread_detach(pthread_self());
    rig_sleep(4 * SECOND);
    atomic_store(&rig_disk_stopped, true);
    return NULL;
}

static void disk_stays_away(void)
{
    uint64_t began = machine_ns();
    config.live.shutdown_s = 2;
    pid_t pid = fork(); /* live_run ends the process where a thread is stuck */
    if (pid == 0)
        _exit(run(5, stop_for_good));
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid, "wait");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_RUNTIME, "status %x", (unsigned)status);
    CHECK(machine_ns() - began < 60 * SECOND, "it took long");
}

/* ---- the folder: not ours, gone for a while */

static void folder_of_others(void)
{
    if (geteuid() == 0) /* who may write everywhere */
        CHECK(setuid(65534) == 0, "setuid");
    folder_mode = 0500;
    uint64_t began = machine_ns();
    int status = run(60, NULL);
    CHECK(chmod(folder, 0700) == 0, "%s", folder);
    CHECK(status == EXIT_RUNTIME, "exit status %d", status);
    CHECK(machine_ns() - began < 30 * SECOND, "it ran, and would have written nothing");
}

static void *hide_folder(void *arg)
{
    char hidden[96];
    (void)arg;
    snprintf(hidden, sizeof hidden, "%s-hidden", folder);
    for (bool any = false; !any; rig_sleep(SECOND / 10)) { /* until windows have begun to close */
        glob_t found;
        char pattern[96];
        snprintf(pattern, sizeof pattern, "%s/summary-*", folder);
        any = glob(pattern, 0, NULL, &found) == 0;
        globfree(&found);
    }
    CHECK(rename(folder, hidden) == 0, "%s", folder);
    kill(getpid(), SIGHUP);
    rig_sleep(2 * SECOND);
    CHECK(rename(hidden, folder) == 0, "%s", folder);
    return NULL;
}

static void folder_comes_back(void)
{
    char mine[256];
    snprintf(mine, sizeof mine, "%s/configs/any-client.yaml", TELLSCOPE_SOURCE);
    options.config_path = mine;
    int status = run(12, hide_folder);
    unsigned long long dropped = number_in(table_text(), "\"dropped\":");
    CHECK(status == EXIT_RUNTIME, "exit status %d", status);
    CHECK(dropped > 0 && told.segments >= 10, "%llu windows dropped, %u written", dropped,
          told.segments);
    CHECK(told.dropped == dropped, "%llu windows were dropped, segments tell of %llu", dropped,
          told.dropped);
}

/* ---- a worker hangs, and goes on */

static void *hang(void *arg)
{
    (void)arg;
    rig_sleep(3 * SECOND);
    atomic_store(&rig_hang, 1);
    rig_sleep(7 * SECOND); /* it is given up after 5, and windows close without it */
    atomic_store(&rig_hang, -1);
    return NULL;
}

static void worker_hangs(void)
{
    int status = run(12, hang);
    CHECK(status == EXIT_OK, "exit status %d", status);
    balanced();
    CHECK(told.hung > 0, "no segment tells that a worker hung");
}

static void *fail_worker(void *arg)
{
    (void)arg;
    rig_sleep(SECOND);
    atomic_store(&rig_fail, 2);
    return NULL;
}

static void worker_fails(void)
{
    int status = run(30, fail_worker);
    CHECK(status == EXIT_RUNTIME, "exit status %d", status);
    CHECK(told.read > 0, "what others counted is lost");
}

/* ---- signals */

static void *send_signals(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 6; i++) {
        rig_sleep(SECOND / 2);
        kill(getpid(), SIGHUP);
    }
    atomic_store(&polls_before, machine_ns());
    kill(getpid(), SIGTERM);
    return NULL;
}

static void signals(void)
{
    char path[256], mine[256];
    snprintf(path, sizeof path, "%s/configs/policy-rfc9325.yaml", TELLSCOPE_SOURCE);
    snprintf(mine, sizeof mine, "%s/configs/any-client.yaml", TELLSCOPE_SOURCE);
    options.policy_path = path;
    options.config_path = mine;
    int status = run(60, send_signals);
    uint64_t took = machine_ns() - polls_before;
    CHECK(status == EXIT_OK, "exit status %d", status);
    CHECK(took < 30 * SECOND, "%llu ns to end", (unsigned long long)took);
    balanced();
}

/* ---- what a reload takes over, and what it does not */

static char own_file[80];

static void write_own(const char *yaml)
{
    FILE *f = fopen(own_file, "w");
    CHECK(f != NULL, "%s", own_file);
    fprintf(f, "live:\n  %s\n", yaml);
    fclose(f);
}

static void *reload_twice(void *arg)
{
    (void)arg;
    rig_sleep(SECOND);
    write_own("free_bytes: 1");
    kill(getpid(), SIGHUP);
    rig_sleep(2 * SECOND);
    write_own("backlog: 3");
    kill(getpid(), SIGHUP);
    return NULL;
}

static void reloads(void)
{
    char said[96], line[512];
    unsigned n_reloads = 0, restarts = 0, first_restart = 0;
    int terminal = dup(STDERR_FILENO);
    snprintf(own_file, sizeof own_file, "/tmp/tellscope-live-own-%d", (int)getpid());
    snprintf(said, sizeof said, "%s.said", own_file);
    write_own("free_bytes: 2");
    options.config_path = own_file;
    CHECK(freopen(said, "w", stderr) != NULL, "%s", said);
    int status = run(6, reload_twice);
    fflush(stderr);
    CHECK(dup2(terminal, STDERR_FILENO) == STDERR_FILENO && status == EXIT_OK, "status %d", status);
    FILE *f = fopen(said, "r");
    CHECK(f != NULL, "%s", said);
    while (fgets(line, sizeof line, f) != NULL) {
        n_reloads += strstr(line, "reloaded") != NULL;
        restarts += strstr(line, "need a restart") != NULL;
        first_restart += n_reloads == 1 && restarts == 1;
    }
    fclose(f);
    unlink(own_file);
    unlink(said);
    CHECK(n_reloads == 2 && restarts == 1 && first_restart == 0, "%u reloads, %u need a restart",
          n_reloads, restarts);
}

/* ---- times of captures */

static void capture_times(void)
{
    rig_clock = PORT_CLOCK_CAPTURE;
    rig_limit = 20000; /* 20 s of each worker's */
    rig_pace_ns = 100000;
    config.live.backlog = 64;
    options.packets = RIG_WORKERS * rig_limit;
    int status = run(60, NULL);
    CHECK(status == EXIT_OK, "exit status %d", status);
    CHECK(balanced() == options.packets, "packets");
    CHECK(told.clock_steps + told.shutdown + told.hung + told.started == 0,
          "windows of captures are whole");
}

/* ---- */

/* Each is a child of its own; many run at the same time, for most of it they wait. */
static const struct scenario {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    {"hand over", hand_over},
    {"the clock jumps", clock_jumps},
    {"a link goes down", link_goes_down},
    {"the device is gone", device_is_gone},
    {"the disk stops", disk_stops},
    {"the disk stays away", disk_stays_away},
    {"a folder of others", folder_of_others},
    {"the folder comes back", folder_comes_back},
    {"a worker hangs", worker_hangs},
    {"a worker fails", worker_fails},
    {"signals", signals},
    {"reloads", reloads},
    {"times of captures", capture_times},
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios, AT_ONCE = 5 };
static pid_t children[SCENARIOS];

static int begin_all(void **state)
{
    (void)state;
    fflush(NULL);
    for (unsigned i = 0; i < SCENARIOS; i++) {
        children[i] = fork();
        if (children[i] != 0)
            continue;
        alarm(240);
        rig_sleep(i / AT_ONCE * 6 * SECOND); /* a start is work */
        scenarios[i].run();
        clean();
        exit(0); /* a sanitizer may have something to say */
    }
    return 0;
}

static void ends_well(void **state)
{
    const struct scenario *s = *state;
    pid_t pid = children[s - scenarios];
    int status = 0;
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    if (WIFSIGNALED(status))
        fail_msg("%s: signal %d", s->name, WTERMSIG(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    static const char *const more[] = {
        "CESNET_FlowTest__pcap_tls10.pcap", "kholia_my-pcaps__NTP_sample-1.pcap",
        "CESNET_FlowTest__pcap_dns_mx.pcap", "CESNET_FlowTest__pcap_tls12.pcap"};
    struct err e;
    char path[512];
    config = config_default();
    snprintf(path, sizeof path, "%s/configs/any-client.yaml", TELLSCOPE_SOURCE);
    CHECK(config_load(&config, path, &e), "%s", e.text);
    snprintf(path, sizeof path, "%s/samples/fleet.pcap", TELLSCOPE_SOURCE);
    rig_load(path);
    for (unsigned i = 0; i < sizeof more / sizeof *more; i++) { /* where they are */
        snprintf(path, sizeof path, "%s/captures/%s", TELLSCOPE_SHARED, more[i]);
        rig_load(path);
    }
    CHECK(rig_n > 0, "no packets");
    struct CMUnitTest tests[SCENARIOS];
    for (unsigned i = 0; i < SCENARIOS; i++)
        tests[i] = (struct CMUnitTest){.name = scenarios[i].name,
                                       .test_func = ends_well,
                                       .initial_state = (void *)(uintptr_t)&scenarios[i]};
    return cmocka_run_group_tests(tests, begin_all, NULL);
}
