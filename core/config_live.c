/* What a live run asks of the configuration: ports, arguments of EAL, the user to become. */
#include "core/config_keys.h"
#include "core/cpus.h"

#include <ctype.h>
#include <stdio.h>

enum { WORKERS_MAX = 64, DESCRIPTORS_MAX = 32768, MTU_MIN = 68, MTU_MAX = 65535 };

/* Text of 1 to `size` - 1 bytes without control bytes, into a zeroed `to`. */
static bool line_set(const char *text, char *to, size_t size, const char *what, struct err *e)
{
    size_t len = strlen(text);
    bool ok = len > 0 && len < size;
    for (size_t i = 0; ok && i < len; i++)
        ok = (unsigned char)text[i] >= 0x20 && text[i] != 0x7f;
    if (!ok) {
        err_set(e, "\"%.40s\" does not fit; %s of 1 to %zu bytes", text, what, size - 1);
        return false;
    }
    memcpy(to, text, len);
    return true;
}

/* ---- ports */

static size_t hex_run(const char *p)
{
    size_t n = 0;
    while (isxdigit((unsigned char)p[n]))
        n++;
    return n;
}

bool config_device_pci(const char *device, char address[static 16])
{
    const char *p = device;
    char domain[5] = "0000";
    size_t n = hex_run(p);
    if (n == 4 && p[4] == ':') {
        memcpy(domain, p, 4);
        p += 5;
        n = hex_run(p);
    }
    if (n != 2 || p[2] != ':' || hex_run(p + 3) != 2 || p[5] != '.' || p[6] < '0' || p[6] > '7'
        || (p[7] != '\0' && p[7] != ','))
        return false;
    int len = snprintf(address, 16, "%s:%.7s", domain, p);
    for (int i = 0; i < len; i++)
        address[i] = (char)tolower((unsigned char)address[i]);
    return true;
}

/* "net_af_packet0,iface=eth0": EAL finds the driver by the letters before the number. */
static bool is_vdev(const char *device)
{
    size_t len = strcspn(device, ",");
    bool ok = len > 5 && strncmp(device, "net_", 4) == 0 && isdigit((unsigned char)device[len - 1]);
    for (size_t i = 0; ok && i < len; i++)
        ok = islower((unsigned char)device[i]) || isdigit((unsigned char)device[i])
             || device[i] == '_';
    return ok;
}

static bool device_set(struct live_port *p, const char *text, struct err *e)
{
    char address[16];
    if (!config_device_pci(text, address) && !is_vdev(text)) {
        err_set(e,
                "\"%.60s\" is no device; a PCI address as \"0000:3b:00.0\" or a virtual device as "
                "\"net_af_packet0,iface=eth0\"",
                text);
        return false;
    }
    return line_set(text, p->device, sizeof p->device, "a device", e);
}

static bool cpus_set(struct live_port *p, const char *text, struct err *e)
{
    struct cpus list;
    return cpus_parse(text, &list, e)
           && (text[0] == '\0' || line_set(text, p->cpus, sizeof p->cpus, "a list", e));
}

static bool mtu_set(struct live_port *p, struct scalar v, struct err *e)
{
    uint64_t n;
    if (!config_number(v, 0, MTU_MAX, &n, e))
        return false;
    if (n > 0 && n < MTU_MIN) {
        err_set(e, "\"%.40s\" does not fit; a decimal number from %d to %d, or 0", v.text, MTU_MIN,
                MTU_MAX);
        return false;
    }
    p->mtu = n;
    return true;
}

static void port_init(void *element)
{
    struct live_port *p = element;
    p->workers = 1;
    p->promiscuous = true;
}

static bool port_set(void *element, const char *key, struct scalar v, struct err *e)
{
    struct live_port *p = element;
    if (strcmp(key, "device") == 0)
        return device_set(p, v.text, e);
    if (strcmp(key, "workers") == 0)
        return config_number(v, 1, WORKERS_MAX, &p->workers, e);
    if (strcmp(key, "cpus") == 0)
        return cpus_set(p, v.text, e);
    if (strcmp(key, "descriptors") == 0)
        return config_number(v, 0, DESCRIPTORS_MAX, &p->descriptors, e);
    if (strcmp(key, "mtu") == 0)
        return mtu_set(p, v, e);
    if (strcmp(key, "promiscuous") == 0)
        return config_bool(v, &p->promiscuous, e);
    p->has_vantage = true;
    return config_word(v, config_vantage_words, VANTAGE_N, &p->vantage, e);
}

static bool port_whole(const void *element, struct err *e)
{
    const struct live_port *p = element;
    struct cpus list = {0};
    if (p->device[0] == '\0') {
        err_set(e, "the key \"device\" is missing");
        return false;
    }
    if (!cpus_parse(p->cpus, &list, e))
        return false;
    if (list.n > 0 && list.n < p->workers) {
        err_set(e, "%u CPU%s for %u workers; as many as workers, or more", list.n,
                list.n > 1 ? "s" : "", (unsigned)p->workers);
        return false;
    }
    return true;
}

/* What makes two ports one: the PCI address, or the name of the virtual device. */
static void port_id(const struct live_port *p, char id[static CONFIG_DEVICE_LEN])
{
    if (!config_device_pci(p->device, id))
        snprintf(id, CONFIG_DEVICE_LEN, "%.*s", (int)strcspn(p->device, ","), p->device);
}

static bool port_fits(const void *elements, unsigned last, struct err *e)
{
    const struct live_port *p = elements;
    char id[CONFIG_DEVICE_LEN], other[CONFIG_DEVICE_LEN];
    port_id(&p[last], id);
    for (unsigned i = 0; i < last; i++) {
        port_id(&p[i], other);
        if (strcmp(id, other) == 0) {
            err_set(e, "%.60s is live.ports[%u] already; each device once", id, i);
            return false;
        }
    }
    return true;
}

static void port_dump(const void *element, struct text_sink *out)
{
    const struct live_port *p = element;
    text_puts(out, "{device: ");
    config_dump_text(p->device, out);
    text_puts(out, ", workers: ");
    text_u64(out, p->workers);
    text_puts(out, ", cpus: ");
    config_dump_text(p->cpus, out);
    text_puts(out, ", descriptors: ");
    text_u64(out, p->descriptors);
    text_puts(out, ", mtu: ");
    text_u64(out, p->mtu);
    text_printf(out, ", promiscuous: %s", p->promiscuous ? "true" : "false");
    if (p->has_vantage)
        text_printf(out, ", vantage: %s", config_vantage_words[p->vantage]);
    text_puts(out, "}");
}

const struct key_list config_list_ports = {
    .n_at = offsetof(struct config, live.n_ports),
    .size = sizeof(struct live_port),
    .max = CONFIG_PORTS_MAX,
    .members = (const char *const[]){"device", "workers", "cpus", "descriptors", "mtu",
                                     "promiscuous", "vantage", NULL},
    .init = port_init,
    .set = port_set,
    .whole = port_whole,
    .fits = port_fits,
    .dump = port_dump,
};

/* ---- arguments of EAL */

static bool eal_set(void *element, const char *key, struct scalar v, struct err *e)
{
    (void)key;
    return line_set(v.text, element, CONFIG_DEVICE_LEN, "one argument of EAL", e);
}

static void eal_dump(const void *element, struct text_sink *out)
{
    config_dump_text(element, out);
}

const struct key_list config_list_eal = {
    .n_at = offsetof(struct config, live.n_eal),
    .size = CONFIG_DEVICE_LEN,
    .max = CONFIG_EAL_MAX,
    .set = eal_set,
    .dump = eal_dump,
};

/* ---- the user */

/* What useradd(8) of Debian takes, or a number. */
static size_t account_len(const char *p)
{
    size_t n = 0;
    while (isalnum((unsigned char)p[n]) || p[n] == '_' || (n > 0 && strchr(".-", p[n]) && p[n]))
        n++;
    return n;
}

bool config_user(const char *text, char to[static CONFIG_NAME_LEN], struct err *e)
{
    size_t len = strlen(text), user = account_len(text);
    bool ok = len < CONFIG_NAME_LEN && (len == 0 || user > 0);
    if (ok && text[user] == ':') {
        size_t group = account_len(text + user + 1);
        ok = group > 0;
        user += 1 + group;
    }
    if (!ok || text[user] != '\0') {
        err_set(e, "\"%.70s\" is no user; as \"tellscope\" or \"tellscope:adm\", at most %d bytes",
                text, CONFIG_NAME_LEN - 1);
        return false;
    }
    memset(to, 0, CONFIG_NAME_LEN);
    memcpy(to, text, len);
    return true;
}
