#include "enrich/tls_whatif.h"

#include "enrich/tls_rules.h"
#include "enrich/tls_suites.h"

enum { RANK_SSL2 = 1, RANK_TLS12 = 5, RANK_TLS13 = 6 };
enum { GROUP_P256 = 23, GROUP_P384 = 24, GROUP_P521 = 25 };

const char *const whatif_result_names[WHATIF_N] = {
    [WHATIF_CONNECT] = "connect", [WHATIF_BREAK] = "break", [WHATIF_UNKNOWN] = "unknown"};
const char *const whatif_reason_names[WHY_N] = {[WHY_NONE] = "",
                                                [WHY_VERSION] = "no_common_version",
                                                [WHY_SUITE] = "no_common_suite",
                                                [WHY_GROUP] = "no_common_group",
                                                [WHY_SIGNATURE] = "no_common_signature_algorithm",
                                                [WHY_KEY] = "no_certificate_for_its_suites",
                                                [WHY_SNI] = "no_server_name",
                                                [WHY_SSLV2_HELLO] = "sslv2_hello",
                                                [WHY_NO_HELLO] = "hello_not_seen",
                                                [WHY_CUT] = "hello_too_long",
                                                [WHY_MINIMUM] = "client_minimum_not_known",
                                                [WHY_PSK] = "only_shared_keys",
                                                [WHY_NO_GROUPS] = "client_groups_not_told",
                                                [WHY_CERTIFICATE] = "server_certificate_not_seen",
                                                [WHY_FAILS_TODAY] = "fails_today"};

struct key;
struct asking {
    const struct tls_policy *p;
    const struct offer *o;
    unsigned rank;
    uint16_t group;         /* of the suite looked at */
    const struct key *keys; /* of the server */
    unsigned n_keys;
    bool groups_open; /* it may choose a group where none are told */
};

static bool in_list(const uint16_t list[], unsigned n, uint16_t v)
{
    for (unsigned i = 0; i < n; i++)
        if (list[i] == v)
            return true;
    return false;
}

/* An empty list of the policy accepts everything. */
static bool accepts(const uint16_t list[], unsigned n, uint16_t v)
{
    return n == 0 || in_list(list, n, v);
}

/* ---- version */

static bool offers_version(const struct offer *o, unsigned rank)
{
    for (unsigned i = 0; i < o->n_versions; i++) {
        bool draft = rank == RANK_TLS13 && o->versions[i] != 0x0304 && o->versions[i] != 0xfefc;
        if (tls_version_rank(o->versions[i]) == rank
            && !draft) /* no server speaks drafts any more */
            return true;
    }
    return false;
}

/* The highest version in common; 0: none. *below: a client without supported_versions told its
 * highest only, and would have to go below it. */
static uint16_t choose_version(const struct tls_policy *p, const struct offer *o, bool *below)
{
    static const uint16_t all[] = {0x0304, 0x0303, 0x0302, 0x0301, 0x0300};
    unsigned n = p->n_versions > 0 ? p->n_versions : sizeof all / sizeof *all, best = 0;
    const uint16_t *list = p->n_versions > 0 ? p->versions : all;
    unsigned max = tls_version_rank(o->legacy_version);
    uint16_t version = 0;
    if (max == 0 && o->legacy_version > 0x0304)
        max = RANK_TLS12; /* a newer version than there is: servers answer with theirs (RFC 5246
                             E.1) */
    if (max > RANK_TLS12)
        max = RANK_TLS12;
    for (unsigned i = 0; i < n; i++) {
        unsigned rank = tls_version_rank(list[i]);
        bool common = o->n_versions > 0 ? offers_version(o, rank)
                                        : rank <= max && (max > RANK_SSL2) == (rank > RANK_SSL2);
        if (common && rank > best) {
            best = rank;
            version = list[i];
        }
    }
    *below = o->n_versions == 0 && best > 0 && best < max;
    return version;
}

/* ---- keys of the server */

struct key {
    uint8_t type; /* enum policy_key_type */
    uint16_t ec_group;
};

/* The keys that the server's certificates may have: what was seen of it, as far as the policy takes
 * it; else (*guessed) any of those that the policy names: it will have one of them. */
static unsigned keys_of(const struct tls_policy *p, const struct whatif_server *server,
                        struct key keys[static POLICY_KEYS], bool *guessed)
{
    static const uint8_t seen_as[POLICY_KEY_N] = {[POLICY_RSA] = CERT_KEY_RSA,
                                                  [POLICY_EC] = CERT_KEY_EC,
                                                  [POLICY_ED25519] = CERT_KEY_ED25519,
                                                  [POLICY_ED448] = CERT_KEY_ED448};
    static const struct policy_key usual[] = {{POLICY_RSA, true, 0}, {POLICY_EC, true, 0}};
    const struct policy_key *list = p->n_keys > 0 ? p->keys : usual;
    unsigned n_list = p->n_keys > 0 ? p->n_keys : 2, n = 0;
    for (unsigned pass = 0; pass < 2 && n == 0; pass++) {
        *guessed = pass == 1;
        for (unsigned i = 0; i < n_list; i++) {
            bool seen = server != NULL && server->seen[seen_as[list[i].type]];
            if (!seen && pass == 0)
                continue;
            uint16_t curve = list[i].min_bits > 384   ? GROUP_P521
                             : list[i].min_bits > 256 ? GROUP_P384
                                                      : GROUP_P256;
            if (seen && server->ec_group != 0 && group_bits(server->ec_group) >= list[i].min_bits)
                curve = server->ec_group;
            keys[n++] = (struct key){list[i].type, list[i].type == POLICY_EC ? curve : 0};
        }
    }
    return n;
}

/* Can the server sign with this key what the client takes? */
static bool can_sign(const struct asking *a, const struct key *k)
{
    static const uint16_t sha1[] = {0x0201, 0x0203}; /* RFC 5246 7.4.1.4.1: where none are told */
    bool told = a->o->n_signatures > 0;
    const uint16_t *list = told ? a->o->signatures : sha1;
    unsigned n = told ? a->o->n_signatures : 2;
    if (a->rank < RANK_TLS12) /* MD5 and SHA-1 together, or SHA-1: no choice */
        return true;
    if (!told && a->rank == RANK_TLS13)
        return false;
    for (unsigned i = 0; i < n; i++) {
        const struct sign_scheme *s = sign_of(list[i]);
        if (s == NULL || !accepts(a->p->signatures, a->p->n_signatures, list[i])
            || (a->rank == RANK_TLS13 && !s->tls13))
            continue;
        if (k->type == POLICY_RSA ? s->key == SIGN_RSA
            : k->type == POLICY_EC
                ? s->key == SIGN_ECDSA && (a->rank < RANK_TLS13 || s->curve == k->ec_group)
            : k->type == POLICY_ED25519 ? s->key == SIGN_ED25519
                                        : s->key == SIGN_ED448)
            return true;
    }
    return false;
}

/* ---- groups */

static bool group_of_tls13(uint16_t g)
{
    return (g >= GROUP_P256 && g <= GROUP_P521) || g == 29 || g == 30 || (g >= 31 && g <= 33)
           || g == 41 || (g >= 0x0100 && g <= 0x0104) || (g >= 0x0200 && g <= 0x0202)
           || group_bits(g) == UINT16_MAX;
}

/* In the order of the client, as most servers take them. */
static bool choose_group(struct asking *a)
{
    a->group = 0;
    if (a->o->n_groups == 0)
        return a->groups_open && a->rank < RANK_TLS13;
    for (unsigned i = 0; i < a->o->n_groups; i++) {
        uint16_t g = a->o->groups[i];
        bool fits = a->rank == RANK_TLS13
                        ? group_of_tls13(g)
                        : !group_is_dh(g) && group_bits(g) != UINT16_MAX && g < 0xff00;
        if (!fits || !accepts(a->p->groups, a->p->n_groups, g))
            continue;
        a->group = g;
        return true;
    }
    return false;
}

/* ---- suites */

static bool key_of_auth(const struct key *k, uint8_t auth)
{
    return auth == AUTH_RSA ? k->type == POLICY_RSA : auth == AUTH_ECDSA && k->type != POLICY_RSA;
}

/* TLS 1.2: the curve of an EC key must be one that the client takes. */
static bool curve_known(const struct asking *a, const struct key *k)
{
    return k->type != POLICY_EC || a->o->n_groups == 0
           || in_list(a->o->groups, a->o->n_groups, k->ec_group);
}

/* Why the suite does not do, or WHY_NONE. */
static enum whatif_reason try_suite(struct asking *a, const struct suite *s)
{
    enum whatif_reason why = WHY_KEY;
    if (s->auth == AUTH_ANON || s->kx == KX_NULL)
        return in_list(a->p->ciphers, a->p->n_ciphers, s->code) ? WHY_NONE : WHY_SUITE;
    if (s->kx == KX_PSK || s->auth == AUTH_PSK || s->kx == KX_SRP || s->kx == KX_KRB5
        || s->kx == KX_ECCPWD || s->kx == KX_GOST || s->kx == KX_OTHER)
        return WHY_PSK;
    if (s->kx == KX_ECDHE && !choose_group(a))
        return a->o->n_groups == 0 ? WHY_NO_GROUPS : WHY_GROUP;
    if (s->kx != KX_ECDHE)
        a->group = 0;
    for (unsigned i = 0; i < a->n_keys; i++) {
        if (!key_of_auth(&a->keys[i], s->auth))
            continue;
        if (!curve_known(a, &a->keys[i])) {
            why = WHY_GROUP;
            continue;
        }
        if (s->kx == KX_RSA || can_sign(a, &a->keys[i]))
            return WHY_NONE;
        why = WHY_SIGNATURE;
    }
    return why;
}

static bool usable(const struct asking *a, uint16_t code)
{
    const struct suite *s = suite_is_scsv(code) ? NULL : suite_of(code);
    if (s == NULL || (s->kx == KX_TLS13) != (a->rank == RANK_TLS13))
        return false;
    if ((s->flags & SUITE_TLS12) != 0 && a->rank < RANK_TLS12)
        return false;
    if (a->p->n_ciphers > 0)
        return in_list(a->p->ciphers, a->p->n_ciphers, code);
    return s->enc != ENC_NULL && s->auth != AUTH_ANON;
}

static enum whatif_reason try_tls13(struct asking *a)
{
    if (!choose_group(a))
        return WHY_GROUP;
    for (unsigned i = 0; i < a->n_keys; i++)
        if (can_sign(a, &a->keys[i]))
            return WHY_NONE;
    return WHY_SIGNATURE;
}

/* The first suite in the order that counts which does; else why the best of them does not. */
static enum whatif_reason choose_suite(struct asking *a, uint16_t *cipher)
{
    bool by_server = a->p->order == ORDER_SERVER && a->p->n_ciphers > 0;
    const uint16_t *order = by_server ? a->p->ciphers : a->o->ciphers;
    unsigned n = by_server ? a->p->n_ciphers : a->o->n_ciphers;
    enum whatif_reason why = WHY_SUITE;
    for (unsigned i = 0; i < n; i++) {
        if (!usable(a, order[i]) || (by_server && !tls_offer_cipher(a->o, order[i])))
            continue;
        enum whatif_reason now =
            a->rank == RANK_TLS13 ? try_tls13(a) : try_suite(a, suite_of(order[i]));
        if (now == WHY_NONE) {
            *cipher = order[i];
            return WHY_NONE;
        }
        if (why == WHY_SUITE || why == WHY_PSK || now == WHY_NO_GROUPS)
            why = now;
    }
    return why;
}

/* With all keys that were seen; or, where none was, with each that it may have: if the answers
 * differ, it cannot be told. */
static void ask_suites(struct asking *a, const struct whatif_server *server,
                       struct whatif_answer *out)
{
    struct key keys[POLICY_KEYS];
    bool guessed;
    unsigned n = keys_of(a->p, server, keys, &guessed), works = 0;
    a->keys = keys;
    a->n_keys = n;
    out->reason = (uint8_t)choose_suite(a, &out->cipher);
    out->group = a->group;
    for (unsigned i = 0; guessed && i < n; i++) {
        uint16_t cipher;
        a->keys = &keys[i];
        a->n_keys = 1;
        works += choose_suite(a, &cipher) == WHY_NONE;
    }
    if (guessed && works > 0 && works < n)
        out->reason = WHY_CERTIFICATE;
}

void tls_whatif(const struct tls_policy *p, const struct offer *o, bool has_sni,
                const struct whatif_server *server, struct whatif_answer *out)
{
    struct asking a = {.p = p, .o = o, .groups_open = server != NULL && server->takes_no_groups};
    bool below = false;
    *out = (struct whatif_answer){.result = WHATIF_BREAK};
    if (o == NULL) {
        out->result = WHATIF_UNKNOWN;
        out->reason = WHY_NO_HELLO;
        return;
    }
    out->version = choose_version(p, o, &below);
    a.rank = tls_version_rank(out->version);
    if ((o->flags & OFFER_SSLV2_FORMAT) != 0 && !p->sslv2_hello)
        out->reason = WHY_SSLV2_HELLO;
    else if (out->version == 0)
        out->reason = WHY_VERSION;
    else if (p->sni_required && !has_sni)
        out->reason = WHY_SNI;
    else
        ask_suites(&a, server, out);
    if (out->reason == WHY_NONE) {
        out->result = WHATIF_CONNECT;
        out->any = p->n_ciphers == 0;
    } else if (out->reason >= WHY_NO_HELLO) {
        out->result = WHATIF_UNKNOWN;
    } else if ((o->flags & OFFER_CUT) != 0) {
        out->result = WHATIF_UNKNOWN;
        out->reason = WHY_CUT;
    }
    if (out->result == WHATIF_CONNECT && below) {
        out->result = WHATIF_UNKNOWN;
        out->reason = WHY_MINIMUM;
    }
    if (out->result != WHATIF_CONNECT)
        out->version = out->cipher = out->group = 0;
}
