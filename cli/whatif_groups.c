#include "cli/whatif_part.h"
#include "sinks/rowjson.h"

#include <strings.h>

bool whatif_wanted(const struct whatif_print *p, const struct whatif_line *l)
{
    char text[ROWJSON_WHO_MAX];
    struct service s;
    if (p->server == NULL)
        return true;
    tls_item_service(l->item, &s);
    if (s.name.len == strlen(p->server)
        && strncasecmp((const char *)s.name.p, p->server, s.name.len) == 0)
        return true;
    if (s.device.by != BY_NONE)
        rowjson_client(&s.device, text);
    else
        addr_text(&s.addr, text);
    return strcmp(text, p->server) == 0;
}

static bool same_group(const struct whatif_line *a, const struct whatif_line *b)
{
    return a->item->row->key.hello == b->item->row->key.hello
           && a->answer.result == b->answer.result && a->answer.reason == b->answer.reason
           && a->answer.version == b->answer.version && a->answer.cipher == b->answer.cipher
           && tls_item_service_order(a->item, b->item) == 0;
}

bool whatif_group_next(const struct whatif_print *p, size_t *at, struct whatif_group *x)
{
    *x = (struct whatif_group){0};
    for (; *at < p->f->n; ++*at) {
        const struct whatif_line *l = &p->f->lines[*at];
        if (!whatif_wanted(p, l))
            continue;
        if (x->first == NULL)
            x->first = l;
        else if (!same_group(x->first, l))
            return true;
        x->sessions += l->sessions;
        x->failing += l->established == 0 ? l->failed : 0;
        x->told += l->told;
        tls_item_count(l->item, &x->clients);
    }
    return x->first != NULL;
}
