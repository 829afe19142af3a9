#include "cli/doctor_part.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void doctor_say(struct doctor *d, enum doctor_state state, const char *name, const char *subject,
                const char *run, const char *fmt, ...)
{
    va_list args;
    if (d->n == DOCTOR_LINES_MAX) {
        d->unsaid++;
        return;
    }
    struct doctor_line *l = &d->lines[d->n++];
    *l = (struct doctor_line){.state = (uint8_t)state, .name = name};
    va_start(args, fmt);
    vsnprintf(l->found, sizeof l->found, fmt, args);
    va_end(args);
    snprintf(l->subject, sizeof l->subject, "%s", subject != NULL ? subject : "");
    snprintf(l->run, sizeof l->run, "%s", run != NULL ? run : "");
    char *texts[] = {l->found, l->subject, l->run};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (char *p = texts[i]; *p != '\0'; p++)
            if ((unsigned char)*p < 0x20 || *p == 0x7f)
                *p = '?';
}

/* ---- files */

static bool path_of(const struct doctor *d, char path[static PATH_MAX], const char *fmt,
                    va_list args)
{
    size_t len = strlen(d->root);
    if (len >= PATH_MAX)
        return false;
    memcpy(path, d->root, len);
    int n = vsnprintf(path + len, PATH_MAX - len, fmt, args);
    return n >= 0 && (size_t)n < PATH_MAX - len;
}

static bool read_path(const char *path, char *to, size_t size)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    size_t n = fread(to, 1, size - 1, f);
    bool ok = !ferror(f);
    fclose(f);
    while (n > 0 && to[n - 1] == '\n')
        n--;
    to[n] = '\0';
    return ok;
}

bool doctor_file(const struct doctor *d, char *to, size_t size, const char *fmt, ...)
{
    char path[PATH_MAX];
    va_list args;
    va_start(args, fmt);
    bool ok = path_of(d, path, fmt, args);
    va_end(args);
    to[0] = '\0';
    return ok && read_path(path, to, size);
}

bool doctor_number(const struct doctor *d, uint64_t *to, const char *fmt, ...)
{
    char path[PATH_MAX], text[64], *end;
    va_list args;
    va_start(args, fmt);
    bool ok = path_of(d, path, fmt, args);
    va_end(args);
    if (!ok || !read_path(path, text, sizeof text))
        return false;
    uint64_t n = strtoull(text, &end, 0);
    if (end == text || *end != '\0')
        return false;
    *to = n;
    return true;
}

bool doctor_exists(const struct doctor *d, const char *fmt, ...)
{
    char path[PATH_MAX];
    va_list args;
    va_start(args, fmt);
    bool ok = path_of(d, path, fmt, args);
    va_end(args);
    return ok && access(path, F_OK) == 0;
}

bool doctor_may(const struct doctor *d, int mode, const char *fmt, ...)
{
    char path[PATH_MAX];
    va_list args;
    va_start(args, fmt);
    bool ok = path_of(d, path, fmt, args);
    va_end(args);
    return ok && faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0;
}

bool doctor_points(const struct doctor *d, char *to, size_t size, const char *fmt, ...)
{
    char path[PATH_MAX], target[PATH_MAX];
    va_list args;
    va_start(args, fmt);
    bool ok = path_of(d, path, fmt, args);
    va_end(args);
    to[0] = '\0';
    ssize_t n = ok ? readlink(path, target, sizeof target - 1) : -1;
    if (n < 0)
        return false;
    target[n] = '\0';
    const char *slash = strrchr(target, '/');
    snprintf(to, size, "%s", slash != NULL ? slash + 1 : target);
    return true;
}

/* cpuinfo repeats itself for each CPU: the first is enough. */
bool doctor_field(const struct doctor *d, const char *file, const char *name, char *to, size_t size)
{
    static char text[65536]; /* one thread checks */
    to[0] = '\0';
    if (!doctor_file(d, text, sizeof text, "/proc/%s", file))
        return false;
    size_t len = strlen(name);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *p = line + len;
        if (strncmp(line, name, len) != 0)
            continue;
        p += strspn(p, " \t");
        if (*p != ':')
            continue;
        p += 1 + strspn(p + 1, " \t");
        snprintf(to, size, "%.*s", (int)strcspn(p, "\n"), p);
        return true;
    }
    return false;
}

bool doctor_cpu_flag(const struct doctor *d, const char *flag)
{
    static char flags[8192];
    size_t len = strlen(flag);
    if (!doctor_field(d, "cpuinfo", "flags", flags, sizeof flags))
        return false;
    for (const char *p = flags; (p = strstr(p, flag)) != NULL; p += len)
        if ((p == flags || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
            return true;
    return false;
}

bool doctor_plain(const char *text)
{
    for (const char *p = text; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr("._-:@/+,=", *p) == NULL)
            return false;
    return text[0] != '\0';
}

void doctor_edit(const struct doctor *d, char run[static 400], const char *expression)
{
    run[0] = '\0';
    if (d->file != NULL && doctor_plain(d->file))
        snprintf(run, 400, "sed -i '%s' %s", expression, d->file);
}

void doctor_set(const struct doctor *d, char run[static 400], const char *key, const char *value)
{
    char expression[160];
    snprintf(expression, sizeof expression, "/^ *%.32s:/d; s/^live:.*/&\\n  %.32s: %.32s/", key,
             key, value);
    doctor_edit(d, run, expression);
}

void doctor_again(const struct doctor *d, char run[static 400], const char *before)
{
    if (d->file != NULL && doctor_plain(d->file))
        snprintf(run, 400, "%s tellscope doctor -c %.256s", before, d->file);
    else if (d->c->live.n_ports > 0 && strstr(d->c->live.ports[0].device, ",iface=") != NULL)
        snprintf(run, 400, "%s tellscope doctor -i %s", before,
                 strstr(d->c->live.ports[0].device, ",iface=") + strlen(",iface="));
    else
        snprintf(run, 400, "%s tellscope doctor", before);
}

void doctor_boot(char run[static 400], const char *arguments)
{
    snprintf(run, 400,
             "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&%s /' /etc/default/grub && update-grub && reboot",
             arguments);
}

/* ---- the report */

void doctor_run(struct doctor *d)
{
    char text[128];
    d->n = d->unsaid = 0;
    d->caps = 0;
    if (doctor_field(d, "self/status", "CapEff", text, sizeof text))
        d->caps = strtoull(text, NULL, 16);
    d->is_root = doctor_field(d, "self/status", "Uid", text, sizeof text)
                 && strtoull(text + strcspn(text, "\t"), NULL, 10) == 0;
    doctor_check_rights(d);
    doctor_check_ports(d);
    doctor_check_memory(d);
    doctor_check_cpus(d);
}

bool doctor_well(const struct doctor *d)
{
    for (unsigned i = 0; i < d->n; i++)
        if (d->lines[i].state == DOCTOR_FAIL)
            return false;
    return d->unsaid == 0;
}

static const char *const state_words[] = {
    [DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "FAIL"};

void doctor_text(const struct doctor *d, struct text_sink *out)
{
    for (unsigned i = 0; i < d->n; i++) {
        const struct doctor_line *l = &d->lines[i];
        text_printf(out, "%-4s %s%s%s: %s", state_words[l->state], l->name,
                    l->subject[0] != '\0' ? " " : "", l->subject, l->found);
        if (l->run[0] != '\0')
            text_printf(out, "; run: %s", l->run);
        text_puts(out, "\n");
    }
    if (d->unsaid > 0)
        text_printf(out, "FAIL report: %u more lines; run: tellscope doctor with fewer ports\n",
                    d->unsaid);
}

static void json_text(struct text_sink *out, const char *key, const char *text)
{
    text_printf(out, ", \"%s\": ", key);
    if (text[0] == '\0')
        text_puts(out, "null");
    else
        text_json(out, text, strlen(text));
}

void doctor_json(const struct doctor *d, struct text_sink *out)
{
    static const char *const words[] = {
        [DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "fail"};
    text_printf(out,
                "{\"schema\": \"tellscope.doctor.v1\", \"ok\": %s, \"unsaid\": %u, \"checks\": [",
                doctor_well(d) ? "true" : "false", d->unsaid);
    for (unsigned i = 0; i < d->n; i++) {
        const struct doctor_line *l = &d->lines[i];
        text_printf(out, "%s\n  {\"state\": \"%s\", \"name\": \"%s\"", i > 0 ? "," : "",
                    words[l->state], l->name);
        json_text(out, "subject", l->subject);
        json_text(out, "found", l->found);
        json_text(out, "run", l->run);
        text_puts(out, "}");
    }
    text_puts(out, "\n]}\n");
}
