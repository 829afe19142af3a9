/* Configuration: one struct, defaults in one place, strict YAML (an unknown key, a wrong type or a
 * value out of range is refused with line and column). Every key stands in configs/tellscope.yaml
 * with its default and unit. */
#pragma once
#include "core/client.h"
#include "core/err.h"

enum {
    CONFIG_NETS_MAX = 64,
    CONFIG_RULES_MAX = 64,
    CONFIG_FILES_MAX = 256,
    CONFIG_NAMES_MAX = 64,
    CONFIG_NAME_LEN = 64,  /* with NUL */
    CONFIG_PATH_LEN = 512, /* with NUL */
    CONFIG_MIGRATIONS_MAX = 32,
    CONFIG_PORTS_MAX = 16,
    CONFIG_DEVICE_LEN = 256, /* with NUL */
    CONFIG_EAL_MAX = 32,
};

enum scope { SCOPE_GATEWAYS, SCOPE_ALL };
enum name_policy { NAMES_KEEP, NAMES_HASH, NAMES_DROP };
enum site_by { SITE_BY_SENSOR, SITE_BY_FILE, SITE_BY_VLAN, SITE_BY_VNI, SITE_BY_GRE };

enum rule_kind {
    RULE_OUI,       /* source or destination MAC begins with `mac` */
    RULE_INNER_OUI, /* the same for the inner Ethernet header of a tunnel */
    RULE_VLAN, /* value = tag; the client is the VLAN's private-address side (addr_is_private), else
                  the source */
    RULE_VNI,
    RULE_GRE_KEY,
    RULE_NETWORK,      /* address in `net` */
    RULE_ONE_PER_FILE, /* the capture is one gateway's: its private-address side, else the source */
    RULE_ANY_CLIENT,   /* every private unicast address is a gateway */
};

struct gateway_rule {
    uint8_t kind; /* enum rule_kind */
    uint8_t mac[6];
    uint8_t mac_bits; /* how many bits of `mac` must match; 24 for an OUI */
    uint32_t value;   /* VLAN, VNI, GRE key; UINT32_MAX: any */
    struct net net;
};

/* A file rule: captures whose path matches `glob` (fnmatch(3), no flags; tried on the path as given
 * and on its base name). */
struct file_rule {
    char glob[256];
    char site[CONFIG_NAME_LEN]; /* "" : the sensor's */
    uint8_t vantage;            /* enum vantage */
    bool has_vantage;
};

/* Clients of one server are to move to another. */
struct migration {
    char legacy[CONFIG_NAME_LEN], replacement[CONFIG_NAME_LEN];
};

/* A port of a live run. */
struct live_port {
    char device[CONFIG_DEVICE_LEN]; /* PCI address, or a virtual device as EAL's --vdev takes it */
    uint64_t workers;               /* 1..64; one queue each */
    char cpus[CONFIG_NAME_LEN];     /* of its workers, as "2,4-5"; "" : any */
    uint64_t descriptors;           /* of each queue; 0: as the driver likes */
    uint64_t mtu;                   /* 0: left as it is */
    bool promiscuous;
    uint8_t vantage; /* enum vantage */
    bool has_vantage;
};

enum live_distribute { DISTRIBUTE_AUTO, DISTRIBUTE_RSS, DISTRIBUTE_SOFTWARE };
enum live_clock { CLOCK_AUTO, CLOCK_TSC, CLOCK_NIC };
enum live_huge { HUGE_AUTO, HUGE_YES, HUGE_NO };

struct config {
    char sensor[CONFIG_NAME_LEN]; /* [A-Za-z0-9._-]+ */
    uint64_t window_s;            /* 1..86400, divides 86400 */
    uint64_t seed;
    uint8_t scope;         /* enum scope */
    uint8_t vantage;       /* enum vantage, where no file rule says otherwise */
    uint8_t names;         /* enum name_policy, for names outside name_suffixes */
    uint8_t site_by;       /* enum site_by */
    bool continuous;       /* the captures are one rotating capture: flow state crosses files */
    bool ja3;              /* events tell JA3 and JA3S too */
    uint8_t names_key[16]; /* for NAMES_HASH */
    bool has_names_key;
    char name_suffixes[CONFIG_NAMES_MAX][CONFIG_NAME_LEN];
    unsigned n_name_suffixes;
    struct gateway_rule rules[CONFIG_RULES_MAX];
    unsigned n_rules;
    struct net client_nets[CONFIG_NETS_MAX];
    unsigned n_client_nets; /* 0: addr_is_private */
    struct file_rule files[CONFIG_FILES_MAX];
    unsigned n_files;
    /* What readers join with summaries, and no segment holds: files, "" where none is named. */
    char client_types[CONFIG_PATH_LEN]; /* see enrich/client_types.h */
    char inventory[CONFIG_PATH_LEN];    /* see enrich/inventory.h */
    char http_hosts[CONFIG_NAMES_MAX][CONFIG_NAME_LEN];
    unsigned n_http_hosts;
    struct {
        uint64_t fragment_datagrams, fragment_bytes, fragment_timeout_ms;
        uint64_t tcp_flows, tcp_buffers, tcp_buffer_bytes, dtls_flows, dtls_hellos, dns_pending,
            ntp_pending;
        uint64_t quic_flows, quic_buffers, quic_buffer_bytes;
        /* rows a window and worker keep exactly; the rest folds into `other` */
        uint64_t clients, coverage, bindings, peers, ntp, dns, tls, hellos, answers, certs, reuse,
            tallies;
        uint64_t cert_bytes;      /* of certificates a run remembers */
        uint64_t tls_resumptions; /* sessions that later ones may resume */
        uint64_t string_bytes;    /* names and blobs a window */
        uint64_t windows_open;    /* windows held in memory at once */
        uint64_t windows_max;     /* windows a run may have */
    } limits;
    uint64_t zstd_level;
    struct migration
        migrations[CONFIG_MIGRATIONS_MAX]; /* for reports: no part of a summary's meaning */
    unsigned n_migrations;
    /* What only a live run asks: no part of a summary's meaning. */
    struct {
        uint64_t window_s; /* as window_s; 60 */
        struct live_port ports[CONFIG_PORTS_MAX];
        unsigned n_ports;
        uint64_t burst;                              /* packets read at once, 1..64; 32 */
        uint64_t mbufs;                              /* of each port; 0: computed */
        uint8_t distribute;                          /* enum live_distribute */
        uint8_t clock;                               /* enum live_clock */
        uint8_t huge_pages;                          /* enum live_huge */
        char eal[CONFIG_EAL_MAX][CONFIG_DEVICE_LEN]; /* further arguments of EAL */
        unsigned n_eal;
        char user[CONFIG_NAME_LEN]; /* who to be once ports are open; "": stay */
        uint64_t shutdown_s;        /* the last windows are written within; 30 */
        uint64_t backlog;           /* closed windows that may wait to be written, 1..64; 8 */
        uint64_t retention_s;   /* segments older than this may go when space is low; 0: none may */
        uint64_t free_bytes;    /* space is low below this */
        uint64_t reserve_bytes; /* kept back in a file of its own for the last window */
    } live;
};

struct config config_default(void);

/* Whether `device` of a port is a PCI address ("3b:00.0", perhaps with ",ARGUMENTS"): filled in
 * full and lower case, "0000:3b:00.0". */
bool config_device_pci(const char *device, char address[static 16]);

/* Reads `path` over what `c` holds; a list in the file replaces the whole list. Names are put into
 * lower case. On failure `c` is untouched. Error text: "FILE:LINE:COLUMN: KEY: what is wrong; what
 * is allowed" ("FILE: ..." where it cannot be read). */
MUST_CHECK bool config_load(struct config *c, const char *path, struct err *e);

/* Sets one key ("limits.clients") that is no list, as the command line does. Error text: "KEY: what
 * is wrong; what is allowed". */
MUST_CHECK bool config_set(struct config *c, const char *key, const char *value, struct err *e);

/* What no single key can tell: names.policy hash needs a key. config_load asks this itself; after
 * config_set the caller does. */
MUST_CHECK bool config_check(const struct config *c, struct err *e);

/* Writes every key with its value as YAML that config_load reads back to the same. */
struct text_sink; /* see core/text.h */
void config_dump(const struct config *c, struct text_sink *out);

/* Hash of what changes the meaning of a summary: all but sensor, window_s, continuous, zstd_level,
 * windows_open, windows_max, live. Lower-case hex, 16 digits and NUL; "" where memory ran out. */
void config_hash(const struct config *c, char hex[static 17]);
