#include "ingest/paths.h"

#include "ingest/capture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Directories still to be read; owned. A list in place of recursion, for a tree may be deep. */
struct pending {
    enum paths_kind kind; /* of the files looked for */
    char **dirs;
    size_t n, cap;
};

/* Takes over `path`, also on failure. `reason`: an errno, 0 where all is well. */
static bool add(struct paths *p, char *path, int reason)
{
    if ((p->n & (p->n + 1)) == 0) { /* full at 2^k - 1 */
        struct path_item *more = realloc(p->items, 2 * (p->n + 1) * sizeof *more);
        if (more == NULL) {
            free(path);
            return false;
        }
        p->items = more;
    }
    char *error = NULL;
    if (reason != 0) {
        struct err e;
        err_set(&e, "%.400s: %s", path, strerror(reason));
        error = strdup(e.text);
        if (error == NULL) {
            free(path);
            return false;
        }
        p->n_failed++;
    }
    p->items[p->n++] = (struct path_item){.path = path, .error = error};
    return true;
}

static bool push(struct pending *todo, char *dir)
{
    if (todo->n == todo->cap) {
        size_t cap = todo->cap == 0 ? 16 : 2 * todo->cap;
        char **more = realloc(todo->dirs, cap * sizeof *more);
        if (more == NULL) {
            free(dir);
            return false;
        }
        todo->dirs = more;
        todo->cap = cap;
    }
    todo->dirs[todo->n++] = dir;
    return true;
}

static char *join(const char *dir, const char *name)
{
    size_t len = strlen(dir);
    const char *slash = len > 0 && dir[len - 1] == '/' ? "" : "/";
    size_t size = len + strlen(name) + 2;
    char *path = malloc(size);
    if (path != NULL)
        snprintf(path, size, "%s%s%s", dir, slash, name);
    return path;
}

/* Does the file begin as those of `kind` do? `*reason` is the errno where it cannot be told. */
static bool is_of_kind(const char *path, enum paths_kind kind, int *reason)
{
    uint8_t head[4];
    size_t have = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        *reason = errno;
        return false;
    }
    while (have < sizeof head) {
        ssize_t got = read(fd, head + have, sizeof head - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            *reason = errno;
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    bool packed = have == sizeof head && capture_magic_packed(head);
    if (packed && kind == PATHS_CAPTURES && lseek(fd, 0, SEEK_SET) == 0)
        return capture_packed(fd);
    close(fd);
    return packed || (kind == PATHS_CAPTURES && have == sizeof head && capture_magic(head));
}

/* Sorts one entry of a directory into the list, the pending directories or the skipped. Takes over
 * `path`. */
static bool take_entry(struct paths *p, struct pending *todo, char *path)
{
    struct stat st;
    int reason = 0;
    if (strlen(path) >= PATH_MAX)
        return add(p, path, ENAMETOOLONG);
    if (lstat(path, &st) != 0)
        return add(p, path, errno);
    if (S_ISDIR(st.st_mode))
        return push(todo, path);
    bool dangling = S_ISLNK(st.st_mode) && stat(path, &st) != 0;
    bool wanted = !dangling && S_ISREG(st.st_mode) && is_of_kind(path, todo->kind, &reason);
    if (wanted || reason != 0)
        return add(p, path, reason);
    p->n_skipped++;
    free(path);
    return true;
}

static bool read_directory(struct paths *p, struct pending *todo, const char *dir)
{
    DIR *d = opendir(dir);
    if (d == NULL) {
        int reason = errno;
        char *path = strdup(dir);
        return path != NULL && add(p, path, reason);
    }
    bool good = true;
    while (good) {
        errno = 0;
        const struct dirent *entry = readdir(d);
        if (entry == NULL)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *path = join(dir, entry->d_name);
        good = path != NULL && take_entry(p, todo, path);
    }
    if (good && errno != 0) {
        int reason = errno;
        char *path = strdup(dir);
        good = path != NULL && add(p, path, reason);
    }
    closedir(d);
    return good;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct path_item *)a)->path, ((const struct path_item *)b)->path);
}

static bool expand_directory(struct paths *p, const char *dir, enum paths_kind kind)
{
    struct pending todo = {.kind = kind};
    size_t first = p->n;
    char *copy = strdup(dir);
    bool good = copy != NULL && push(&todo, copy);
    while (good && todo.n > 0) {
        char *next = todo.dirs[--todo.n];
        good = read_directory(p, &todo, next);
        free(next);
    }
    while (todo.n > 0)
        free(todo.dirs[--todo.n]);
    free(todo.dirs);
    if (p->n > first)
        qsort(p->items + first, p->n - first, sizeof *p->items, by_path);
    return good;
}

bool paths_expand(struct paths *p, char *const args[], size_t n_args, enum paths_kind kind,
                  struct err *e)
{
    bool good = true;
    *p = (struct paths){0};
    for (size_t i = 0; i < n_args && good; i++) {
        struct stat st;
        int reason = 0;
        bool is_stdin = strcmp(args[i], "-") == 0;
        if (!is_stdin && stat(args[i], &st) != 0)
            reason = errno;
        if (!is_stdin && reason == 0 && S_ISDIR(st.st_mode)) {
            good = expand_directory(p, args[i], kind);
            continue;
        }
        char *path = strdup(args[i]);
        good = path != NULL && add(p, path, reason);
    }
    if (good)
        return true;
    paths_free(p);
    err_set(e, "out of memory");
    return false;
}

void paths_free(struct paths *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->items[i].path);
        free(p->items[i].error);
    }
    free(p->items);
    *p = (struct paths){0};
}
