#define _GNU_SOURCE /* setresuid, getresuid */
#include "cli/drop.h"
#include "core/config_value.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- names */

static bool id_number(const char *text, uint64_t *id)
{
    struct err ignored;
    return config_value_number(text, 0, UINT32_MAX - 1, id, &ignored);
}

static bool find_group(const char *name, gid_t *gid, struct err *e)
{
    struct group g, *found = NULL;
    char space[65536]; /* members of a group can be many */
    uint64_t id;
    int error = getgrnam_r(name, &g, space, sizeof space, &found);
    if (found != NULL) {
        *gid = g.gr_gid;
        return true;
    }
    if (id_number(name, &id)) {
        *gid = (gid_t)id;
        return true;
    }
    err_set(e, "group %s: %s", name, error != 0 ? strerror(error) : "there is none of that name");
    return false;
}

static bool find_user(const char *name, struct drop *d, bool needs_group, struct err *e)
{
    struct passwd p, *found = NULL;
    char space[16384];
    uint64_t id;
    int error = getpwnam_r(name, &p, space, sizeof space, &found);
    bool is_number = found == NULL && id_number(name, &id);
    if (is_number)
        error = getpwuid_r((uid_t)id, &p, space, sizeof space, &found);
    if (found != NULL) {
        d->uid = p.pw_uid;
        d->gid = p.pw_gid;
        snprintf(d->name, sizeof d->name, "%s", p.pw_name);
        return true;
    }
    if (is_number && !needs_group) {
        d->uid = (uid_t)id;
        return true;
    }
    if (is_number)
        err_set(e, "user %s: has no name, and hence no group; name one as %s:%s", name, name, name);
    else
        err_set(e, "user %s: %s", name,
                error != 0 ? strerror(error) : "there is none of that name");
    return false;
}

bool drop_find(const char *user, struct drop *d, struct err *e)
{
    char name[CONFIG_NAME_LEN];
    *d = (struct drop){0};
    snprintf(name, sizeof name, "%s", user);
    char *group = strchr(name, ':');
    if (group != NULL)
        *group++ = '\0';
    if (!find_user(name, d, group == NULL, e))
        return false;
    if (group != NULL) {
        d->name[0] = '\0';
        if (!find_group(group, &d->gid, e))
            return false;
    }
    if (d->uid == 0 || d->gid == 0) {
        err_set(e, "user %s: is root%s; name a user with fewer rights", user,
                d->uid == 0 ? "" : "'s group");
        return false;
    }
    return true;
}

/* ---- capabilities: capset(2) itself, libcap would be one more library for two calls */

enum { CAP_WORDS = 2 };

static bool caps_get(uint64_t *permitted, uint64_t *all, struct err *e)
{
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct d[CAP_WORDS];
    if (syscall(SYS_capget, &h, d) != 0) {
        err_set(e, "capget: %s", strerror(errno));
        return false;
    }
    *permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
    *all = *permitted | d[0].effective | d[0].inheritable
           | (uint64_t)(d[1].effective | d[1].inheritable) << 32;
    return true;
}

static bool caps_set(uint64_t caps, struct err *e)
{
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct d[CAP_WORDS] = {{0}};
    for (int i = 0; i < CAP_WORDS; i++)
        d[i].permitted = d[i].effective = (uint32_t)(caps >> 32 * i);
    if (syscall(SYS_capset, &h, d) == 0)
        return true;
    err_set(e, "capset: %s", strerror(errno));
    return false;
}

static bool prctl_set(int option, unsigned long a, unsigned long b, const char *what, struct err *e)
{
    if (prctl(option, a, b, 0UL, 0UL) == 0)
        return true;
    err_set(e, "%s: %s", what, strerror(errno));
    return false;
}

bool drop_begin(struct err *e)
{
    return prctl_set(PR_SET_NO_NEW_PRIVS, 1, 0, "no_new_privs", e);
}

/* The bounding set limits what a later execve(2) could bring back. Only who has CAP_SETPCAP may
 * narrow it; no_new_privs shuts that door anyway. */
static void bounds_narrow(uint64_t keep)
{
    for (unsigned cap = 0; cap <= 63; cap++)
        if ((keep >> cap & 1) == 0 && prctl(PR_CAPBSET_DROP, (unsigned long)cap, 0UL, 0UL, 0UL) != 0
            && errno == EINVAL)
            break; /* the kernel knows no more */
}

/* ---- the change */

static bool is_already(const struct drop *d)
{
    uid_t r, f, s;
    gid_t rg, fg, sg;
    return getresuid(&r, &f, &s) == 0 && getresgid(&rg, &fg, &sg) == 0 && r == d->uid && f == d->uid
           && s == d->uid && rg == d->gid && fg == d->gid && sg == d->gid;
}

static bool fail_as(const char *call, const struct drop *d, struct err *e)
{
    int error = errno;
    err_set(e, "%s: become user %u, group %u: %s", call, (unsigned)d->uid, (unsigned)d->gid,
            strerror(error));
    return false;
}

/* Groups first: without root they could no longer be changed. glibc makes each call on all threads.
 */
static bool change_ids(const struct drop *d, struct err *e)
{
    int groups = d->name[0] != '\0' ? initgroups(d->name, d->gid) : setgroups(1, &d->gid);
    if (groups != 0)
        return fail_as("setgroups", d, e);
    if (setresgid(d->gid, d->gid, d->gid) != 0)
        return fail_as("setresgid", d, e);
    if (setresuid(d->uid, d->uid, d->uid) != 0)
        return fail_as("setresuid", d, e);
    return true;
}

static bool no_way_back(const struct drop *d, uint64_t keep, struct err *e)
{
    uint64_t permitted, all;
    if (!caps_get(&permitted, &all, e))
        return false;
    bool may_set_ids = (keep & (1u << CAP_SETUID | 1u << CAP_SETGID)) != 0;
    bool back =
        !may_set_ids && (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 || setegid(0) == 0);
    if (!back && is_already(d) && (all & ~keep) == 0
        && prctl(PR_GET_NO_NEW_PRIVS, 0UL, 0UL, 0UL, 0UL) == 1)
        return true;
    err_set(e, "privileges are not given up, though every call said so");
    return false;
}

bool drop_now(const struct drop *d, uint64_t keep, struct err *e)
{
    uint64_t permitted, all;
    if (!drop_begin(e) || !caps_get(&permitted, &all, e))
        return false;
    keep &= permitted;
    bounds_narrow(keep);
    if (!is_already(d)) {
        if (!prctl_set(PR_SET_KEEPCAPS, 1, 0, "keepcaps", e) || !change_ids(d, e)
            || !prctl_set(PR_SET_KEEPCAPS, 0, 0, "keepcaps", e))
            return false;
    }
    return prctl_set(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, "ambient capabilities", e)
           && caps_set(keep, e) && no_way_back(d, keep, e);
}
