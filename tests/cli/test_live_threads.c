/* A live run's threads among each other, without DPDK: windows change hands, the clock is set, the
 * disk stops, a worker hangs or fails, signals come. Also to be run with ThreadSanitizer. */
#include "tests/cli/live_told.h"

enum { SCENARIO_S = 500 }; /* it hangs, where it takes longer */

/* ---- windows change hands while the clock is set, the disk is slow and telemetry is asked */

static void more_written(uint64_t n)
{
    uint64_t before = atomic_load(&rig_said.written);
    WAIT(atomic_load(&rig_said.written) >= before + n);
}

static void set_clock(void)
{
    more_written(2);
    atomic_fetch_add(&rig_step_ns, (int64_t)(30 * SECOND));
    WAIT(atomic_load(&rig_said.steps) == 1);
    more_written(2);
    atomic_fetch_sub(&rig_step_ns, (int64_t)(20 * SECOND));
    WAIT(atomic_load(&rig_said.steps) == 2);
    more_written(3);
}

/* A segment for each second, but for those that the clock jumped over. */
static void hand_over(void)
{
    atomic_store(&rig_disk_ns, 2000000);
    config.live.backlog = 64;
    int status = run(0, set_clock);
    CHECK(status == EXIT_OK, "exit status %d", status);
    balanced();
    CHECK(told.segments >= 7, "%u segments", told.segments);
    CHECK(told.clock_steps > 0, "no segment tells of the clock");
    CHECK(told.shutdown > 0, "no segment tells of the end");
    CHECK(strstr(table_text(), "\"clock_steps\":2") != NULL, "%s", table_text());
    unsigned missing = windows_missing();
    CHECK(missing >= 20 && missing <= 34, "%u windows are missing, the clock jumped over 30",
          missing);
}

/* The same where nothing comes. */
static void hand_over_nothing(void)
{
    rig_limit = 32;
    hand_over();
}

/* ---- what nobody watched is not covered: the clock jumped over it, a link was down */

static void jump(void)
{
    rig_sleep(4 * SECOND); /* of ours, 20: some whole slots of 5 */
    atomic_fetch_add(&rig_step_ns, (int64_t)(90 * SECOND));
    WAIT(atomic_load(&rig_said.steps) == 1);
    rig_sleep(3 * SECOND);
}

static void clock_jumps(void)
{
    window_s = 300;
    uint64_t began = machine_ns();
    CHECK(run(0, jump) == EXIT_OK, "it fails");
    uint64_t lived_s = (machine_ns() - began) * SPEED / SECOND;
    balanced();
    CHECK(told.clock_steps > 0, "no segment tells of the clock");
    CHECK(told.watched_s >= 15 && told.watched_s <= lived_s, "%llu s watched of %llu",
          told.watched_s, (unsigned long long)lived_s);
}

static uint64_t link_down_s;

static void pull_cable(void)
{
    rig_sleep(4 * SECOND);
    atomic_store(&rig_link, PORT_LINK_DOWN);
    WAIT(!atomic_load(&rig_said.link_up));
    uint64_t looks = atomic_load(&rig_said.looks); /* what came before may still be news */
    WAIT(atomic_load(&rig_said.looks) >= looks + 3);
    uint64_t began = machine_ns();
    rig_sleep(4 * SECOND);
    link_down_s = (machine_ns() - began) * SPEED / SECOND;
    atomic_store(&rig_link, PORT_LINK_UP);
    WAIT(atomic_load(&rig_said.link_up));
    rig_sleep(3 * SECOND);
}

static void link_goes_down(void)
{
    window_s = 300;
    uint64_t began = machine_ns();
    CHECK(run(0, pull_cable) == EXIT_OK, "it fails");
    uint64_t lived_s = (machine_ns() - began) * SPEED / SECOND;
    balanced();
    CHECK(told.watched_s >= 15 && told.watched_s <= lived_s - link_down_s + 1,
          "%llu s watched of %llu, of which the link was down for %llu", told.watched_s,
          (unsigned long long)lived_s, (unsigned long long)link_down_s);
}

static void take_device(void)
{
    atomic_store(&rig_link, PORT_LINK_GONE);
}

static void device_is_gone(void)
{
    int status = run(FOREVER, take_device);
    CHECK(status == EXIT_RUNTIME, "exit status %d", status);
    balanced();
}

/* ---- the disk stops: workers do not, windows are dropped and told */

static uint64_t all_polls(void)
{
    uint64_t n = UINT64_MAX; /* of the slowest */
    for (unsigned i = 0; i < RIG_WORKERS; i++) {
        uint64_t polls = atomic_load(&rig_ports->w[i].polls);
        n = polls < n ? polls : n;
    }
    return n;
}

static void stop_disk(void)
{
    more_written(1);
    atomic_store(&rig_disk_stopped, true);
    uint64_t polls = all_polls();
    WAIT(atomic_load(&rig_said.dropped) >= 8);
    WAIT(all_polls() > polls + 10); /* no worker stands still */
    atomic_store(&rig_disk_stopped, false);
    more_written(2);
}

static void disk_stops(void)
{
    config.live.backlog = 3;
    int status = run(0, stop_disk);
    CHECK(status == EXIT_RUNTIME, "exit status %d", status);
    balanced();
    unsigned long long dropped = number_in(table_text(), "\"dropped\":");
    CHECK(told.dropped == dropped, "%llu windows were dropped, segments tell of %llu", dropped,
          told.dropped);
    CHECK(told.missed == number_in(table_text(), "\"missed\":"),
          "what was lost before us must be told in a later segment: %llu", told.missed);
}

/* The disk never comes back: the run ends within shutdown_s, and says what is lost. */
static void stop_for_good(void)
{
    pthread_detach(pthread_self()); /* nobody comes to join it */
    more_written(1);
    atomic_store(&rig_disk_stopped, true);
}

static void disk_stays_away(void)
{
    config.live.shutdown_s = 2;
    make_folder();
    pid_t pid = fork(); /* live_run ends the process where a thread is stuck */
    if (pid == 0) {
        alarm(SCENARIO_S);
        _exit(run(0, stop_for_good));
    }
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid, "wait");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_RUNTIME, "status %x", (unsigned)status);
}

/* ---- the folder: not ours, gone for a while */

static void folder_of_others(void)
{
    if (geteuid() == 0) /* who may write everywhere */
        CHECK(setuid(65534) == 0, "setuid");
    folder_mode = 0500;
    int status = run(FOREVER, NULL);
    CHECK(chmod(folder, 0700) == 0, "%s", folder);
    CHECK(status == EXIT_RUNTIME, "exit status %d", status);
}

static void hide_folder(void)
{
    char hidden[96];
    snprintf(hidden, sizeof hidden, "%s-hidden", folder);
    more_written(1);
    CHECK(rename(folder, hidden) == 0, "%s", folder);
    kill(getpid(), SIGHUP);
    WAIT(atomic_load(&rig_said.dropped) >= 2);
    CHECK(rename(hidden, folder) == 0, "%s", folder);
    more_written(2);
}

static void folder_comes_back(void)
{
    char mine[256];
    snprintf(mine, sizeof mine, "%s/configs/any-client.yaml", TELLSCOPE_SOURCE);
    options.config_path = mine;
    int status = run(0, hide_folder);
    unsigned long long dropped = number_in(table_text(), "\"dropped\":"),
                       written = number_in(table_text(), "\"written\":");
    CHECK(status == EXIT_RUNTIME, "exit status %d", status);
    CHECK(told.segments == written, "%llu windows written, %u found", written, told.segments);
    CHECK(told.dropped == dropped, "%llu windows were dropped, segments tell of %llu", dropped,
          told.dropped);
}

/* ---- a worker hangs, and goes on */

static uint64_t hang_began;

static void hang(void)
{
    atomic_store(&rig_hang, 1);
    WAIT(atomic_load(&rig_hangs));
    /* So many windows have not begun yet: they close only once it is given up. */
    uint64_t windows = (machine_ns() - hang_began) * SPEED / SECOND + 3;
    WAIT(atomic_load(&rig_said.written) >= windows);
    uint64_t polls = atomic_load(&rig_ports->w[1].polls);
    atomic_store(&rig_hang, -1);
    WAIT(atomic_load(&rig_ports->w[1].polls) > polls + 2);
}

static void worker_hangs(void)
{
    config.live.backlog = 64;
    hang_began = machine_ns();
    int status = run(0, hang);
    CHECK(status == EXIT_OK, "exit status %d", status);
    balanced();
    CHECK(told.hung > 0, "no segment tells that a worker hung");
}

static void fail_worker(void)
{
    atomic_store(&rig_fail, 2);
}

static void worker_fails(void)
{
    int status = run(FOREVER, fail_worker);
    CHECK(status == EXIT_RUNTIME, "exit status %d", status);
    CHECK(told.read > 0, "what others counted is lost");
}

/* ---- signals, and the end of its time */

static void send_signals(void)
{
    for (unsigned i = 0; i < 6; i++) {
        rig_sleep(SECOND / 2);
        kill(getpid(), SIGHUP);
    }
    kill(getpid(), SIGTERM);
}

static void signals(void)
{
    char path[256], mine[256];
    snprintf(path, sizeof path, "%s/configs/policy-rfc9325.yaml", TELLSCOPE_SOURCE);
    snprintf(mine, sizeof mine, "%s/configs/any-client.yaml", TELLSCOPE_SOURCE);
    options.policy_path = path;
    options.config_path = mine;
    int status = run(FOREVER, send_signals);
    CHECK(status == EXIT_OK, "exit status %d", status);
    balanced();
}

static void time_is_over(void)
{
    int status = run(3, NULL);
    CHECK(status == EXIT_OK, "exit status %d", status);
    CHECK(told.segments == number_in(table_text(), "\"written\":"), "%u segments", told.segments);
}

/* ---- what a reload takes over, and what it does not */

static char own_file[80], said[96];

static void write_own(const char *yaml)
{
    FILE *f = fopen(own_file, "w");
    CHECK(f != NULL, "%s", own_file);
    fprintf(f, "live:\n  %s\n", yaml);
    fclose(f);
}

/* How many lines were said with `text` in them. */
static unsigned lines_with(const char *text)
{
    char line[512];
    unsigned n = 0;
    FILE *f = fopen(said, "r");
    CHECK(f != NULL, "%s", said);
    while (fgets(line, sizeof line, f) != NULL)
        n += strstr(line, text) != NULL;
    fclose(f);
    return n;
}

static unsigned first_restarts;

static void reload_twice(void)
{
    write_own("free_bytes: 1");
    kill(getpid(), SIGHUP);
    WAIT(lines_with("reloaded") == 1);
    first_restarts = lines_with("need a restart");
    write_own("backlog: 3");
    kill(getpid(), SIGHUP);
    WAIT(lines_with("reloaded") == 2);
}

static void reloads(void)
{
    int terminal = dup(STDERR_FILENO);
    snprintf(own_file, sizeof own_file, "/tmp/tellscope-live-own-%d", (int)getpid());
    snprintf(said, sizeof said, "%s.said", own_file);
    write_own("free_bytes: 2");
    options.config_path = own_file;
    CHECK(freopen(said, "w", stderr) != NULL, "%s", said);
    setvbuf(stderr, NULL, _IONBF, 0); /* else who waits for a line waits for many */
    int status = run(0, reload_twice);
    fflush(stderr);
    CHECK(dup2(terminal, STDERR_FILENO) == STDERR_FILENO && status == EXIT_OK, "status %d", status);
    unsigned restarts = lines_with("need a restart");
    unlink(own_file);
    unlink(said);
    CHECK(restarts == 1 && first_restarts == 0, "%u need a restart, the first time %u", restarts,
          first_restarts);
}

/* ---- times of captures */

static void capture_times(void)
{
    rig_clock = PORT_CLOCK_CAPTURE;
    rig_limit = 20000; /* 20 s of each worker's */
    rig_pace_ns = 100000;
    config.live.backlog = 64;
    options.packets = RIG_WORKERS * rig_limit;
    int status = run(FOREVER, NULL);
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
    {"hand over nothing", hand_over_nothing},
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
    {"its time is over", time_is_over},
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
        alarm(SCENARIO_S);
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
    config.live.shutdown_s = 300;
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
