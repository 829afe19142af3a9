/* What the firmware says in clear HTTP into rows. */
#include "summary/fold_parts.h"

static void bind_text(struct window *w, const struct msg *m, enum binding_kind kind,
                      struct bytes value, const uint8_t mac[6])
{
    const struct http_msg *h = &m->http;
    char text[NAME_MAX_TEXT];
    struct bytes clean = {(const uint8_t *)text, name_clean(value, false, text)};
    KEY(row_binding) key = {.addr = h->client, .source = h->server, .kind = (uint8_t)kind};
    if (side_visible(w, m->rec, h->client_side))
        key.client = m->rec->client[h->client_side];
    else
        key.client.site = m->rec->site;
    if (mac != NULL)
        memcpy(key.mac, mac, 6);
    uint64_t value_hash = clean.len > 0 ? strings_hash(clean.p, clean.len) : 0;
    uint32_t tag = key_tag_strings(w, &key, BINDING_KEY_LEN, value_hash, 0);
    if (!row_refused(w, ROW_BINDING, &key, value_hash, 0))
        key.value = window_intern(w, clean.p, clean.len);
    struct row_binding *b = clean.len > 0 && key.value == 0 ? window_other_make(w, ROW_BINDING)
                                                            : row_of(w, ROW_BINDING, tag, &key);
    binding_count(b, m->ts_ns, h->answered);
}

/* The firmware names itself: a device that makes these calls is a gateway, whatever the rules knew.
 */
void fold_http(struct window *w, const struct msg *m)
{
    const struct http_msg *h = &m->http;
    bool firmware =
        h->has_mac && (h->call == HTTP_VERSIONS || (h->call == HTTP_ASSIGN && h->answered));
    if (firmware)
        bind_text(w, m, h->call == HTTP_ASSIGN ? BIND_HTTP_ASSIGN : BIND_HTTP_VERSIONS,
                  (struct bytes){0}, h->mac);
    if (firmware && h->product.len > 0)
        bind_text(w, m, BIND_PRODUCT, h->product, h->mac);
    if (h->user_agent.len > 0 && side_visible(w, m->rec, h->client_side))
        bind_text(w, m, BIND_USER_AGENT, h->user_agent, NULL);
}
