#include "decoders/http.h"

enum { HEAD_MAX = 8192, EMPTY_LINES_MAX = 4 };

static const char *const methods[] = {"GET ",   "POST ",    "HEAD ",  "PUT ",    "DELETE ",
                                      "PATCH ", "OPTIONS ", "TRACE ", "CONNECT "};

bool http_plausible_request(struct cur in)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods && in.left > 0; i++) {
        if (in.p[0] != (uint8_t)methods[i][0])
            continue; /* nearly always */
        size_t n = strlen(methods[i]);
        if (in.left < n && !in.snapped)
            continue;
        if (memcmp(in.p, methods[i], in.left < n ? in.left : n) == 0)
            return true;
    }
    return false;
}

/* ---- lines and words */

static bool is(struct cur c, const char *word)
{
    return c.left == strlen(word) && memcmp(c.p, word, c.left) == 0;
}

static uint8_t lower(uint8_t b)
{
    return b >= 'A' && b <= 'Z' ? (uint8_t)(b | 0x20) : b;
}

/* Field names and schemes: case does not count. `word` is in small letters. */
static bool is_name(struct cur c, const char *word)
{
    if (c.left != strlen(word))
        return false;
    for (size_t i = 0; i < c.left; i++)
        if (lower(c.p[i]) != (uint8_t)word[i])
            return false;
    return true;
}

/* What lies before the first `b`, which is stepped over. False: there is none, nothing has moved.
 */
static bool take_until(struct cur *c, char b, struct cur *before)
{
    const uint8_t *found = c->left > 0 ? memchr(c->p, b, c->left) : NULL;
    return found != NULL && cur_take(c, (size_t)(found - c->p), before) && cur_skip(c, 1);
}

/* One line without its end: CR LF, or LF alone (RFC 9112 2.2). */
static bool take_line(struct cur *c, struct cur *line)
{
    if (!take_until(c, '\n', line))
        return false;
    if (line->left > 0 && line->p[line->left - 1] == '\r')
        line->left--;
    return true;
}

static bool is_blank(uint8_t b)
{
    return b == ' ' || b == '\t';
}

static struct cur trim(struct cur c)
{
    while (c.left > 0 && is_blank(c.p[0])) {
        c.p++;
        c.left--;
    }
    while (c.left > 0 && is_blank(c.p[c.left - 1]))
        c.left--;
    return c;
}

static struct bytes as_bytes(struct cur c)
{
    return c.left == 0 ? (struct bytes){0} : (struct bytes){.p = c.p, .len = (uint32_t)c.left};
}

/* ---- the target and what it asks for */

static int hex_digit(uint8_t b)
{
    if (b >= '0' && b <= '9')
        return b - '0';
    b = lower(b);
    return b >= 'a' && b <= 'f' ? b - 'a' + 10 : -1;
}

/* ':' or '-' between two bytes of a MAC, as such or percent-encoded. */
static void skip_separator(struct cur *c)
{
    struct cur at = *c, triple;
    if (c->left > 0 && (c->p[0] == ':' || c->p[0] == '-')) {
        c->p++;
        c->left--;
    } else if (cur_take(&at, 3, &triple) && (is_name(triple, "%3a") || is_name(triple, "%2d"))) {
        *c = at;
    }
}

static bool parse_mac(struct cur c, uint8_t mac[static 6])
{
    uint8_t read[6];
    for (int i = 0; i < 6; i++) {
        uint8_t high, low;
        if (i > 0)
            skip_separator(&c);
        if (!cur_u8(&c, &high) || !cur_u8(&c, &low) || hex_digit(high) < 0 || hex_digit(low) < 0)
            return false;
        read[i] = (uint8_t)(hex_digit(high) << 4 | hex_digit(low));
    }
    if (c.left > 0)
        return false;
    memcpy(mac, read, 6);
    return true;
}

/* The parameters of a firmware call; the first of a name counts. */
static void take_query(struct cur query, struct http_request *r)
{
    while (query.left > 0) {
        struct cur pair, name;
        if (!take_until(&query, '&', &pair)) {
            pair = query;
            query.left = 0;
        }
        if (!take_until(&pair, '=', &name))
            continue;
        if (is(name, "mac") && !r->has_mac)
            r->has_mac = parse_mac(pair, r->mac);
        else if (is(name, "hw") && r->hw.p == NULL)
            r->hw = as_bytes(pair);
        else if (is(name, "product") && r->product.p == NULL)
            r->product = as_bytes(pair);
    }
}

/* Origin form, or absolute form as towards a proxy (RFC 9112 3.2). */
static void take_target(struct cur target, struct http_request *r)
{
    struct cur scheme, host, path, rest = target;
    if (take_until(&rest, ':', &scheme) && is_name(scheme, "http") && rest.left > 2
        && memcmp(rest.p, "//", 2) == 0 && cur_skip(&rest, 2) && take_until(&rest, '/', &host)) {
        target.left = rest.left + 1; /* from the '/' on */
        target.p = rest.p - 1;
    }
    struct cur fragment = target;
    if (take_until(&fragment, '#', &path))
        target = path;
    if (!take_until(&target, '?', &path)) {
        path = target;
        target.left = 0;
    }
    if (is(path, "/server/assign"))
        r->call = HTTP_ASSIGN;
    else if (is(path, "/versions.xml"))
        r->call = HTTP_VERSIONS;
    if (r->call != HTTP_OTHER)
        take_query(target, r);
}

/* method SP target SP "HTTP/1." digit (RFC 9112 3). */
static bool take_request_line(struct cur line, struct http_request *r)
{
    struct cur method, target;
    if (!http_plausible_request(line) || !take_until(&line, ' ', &method)
        || !take_until(&line, ' ', &target) || target.left == 0)
        return false;
    if (line.left != 8 || memcmp(line.p, "HTTP/1.", 7) != 0 || line.p[7] < '0' || line.p[7] > '9')
        return false;
    if (is(method, "GET"))
        take_target(target, r);
    return true;
}

/* ---- fields */

static bool take_length(struct cur value, bool *seen, uint64_t *len)
{
    uint64_t n = 0;
    if (value.left == 0 || value.left > 18)
        return false;
    for (size_t i = 0; i < value.left; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(value.p[i] - '0');
    }
    if (*seen && n != *len)
        return false;
    *seen = true;
    *len = n;
    return true;
}

/* Credentials that whoever reads them can use. Those of Digest and the like are not. */
static bool is_login(struct cur value)
{
    struct cur scheme;
    return take_until(&value, ' ', &scheme)
           && (is_name(scheme, "basic") || is_name(scheme, "bearer"));
}

/* name ":" value (RFC 9112 5). A line that begins with a blank goes on the value before it: let be.
 */
static bool take_field(struct cur line, bool *length_seen, struct http_request *r)
{
    struct cur name;
    if (is_blank(line.p[0]))
        return true;
    if (!take_until(&line, ':', &name) || name.left == 0 || is_blank(name.p[name.left - 1]))
        return false;
    struct cur value = trim(line);
    if (value.left > 0 && memchr(value.p, 0, value.left) != NULL)
        return false;
    if (is_name(name, "host") && r->host.p == NULL)
        r->host = as_bytes(value);
    else if (is_name(name, "user-agent") && r->user_agent.p == NULL)
        r->user_agent = as_bytes(value);
    else if (is_name(name, "authorization"))
        r->login = r->login || is_login(value);
    else if (is_name(name, "content-length"))
        return take_length(value, length_seen, &r->body_len);
    return true;
}

enum outcome http_request_decode(struct cur in, struct http_request *out)
{
    struct http_request r = {0};
    struct cur line;
    size_t whole = in.left;
    bool request_line_seen = false, length_seen = false;
    if (in.left > HEAD_MAX) {
        in.left = HEAD_MAX; /* no empty line in there: a head too long, not a cut one */
        in.snapped = false;
    }
    size_t window = in.left;
    for (unsigned empty = 0; take_line(&in, &line);) {
        if (request_line_seen && line.left == 0) {
            r.head_len = window - in.left;
            *out = r;
            return OUT_OK;
        }
        if (!request_line_seen && line.left == 0 && empty++ < EMPTY_LINES_MAX)
            continue; /* RFC 9112 2.2 */
        if (request_line_seen ? !take_field(line, &length_seen, &r) : !take_request_line(line, &r))
            return OUT_MALFORMED;
        request_line_seen = true;
    }
    if (whole >= HEAD_MAX)
        return OUT_MALFORMED;
    if (!request_line_seen && in.left > 0 && in.p[0] != '\r' && !http_plausible_request(in))
        return OUT_MALFORMED;
    return cur_why(&in);
}

unsigned http_status(struct cur in)
{
    struct cur version, code;
    uint8_t after;
    if (!cur_take(&in, 9, &version) || !cur_take(&in, 3, &code) || !cur_u8(&in, &after))
        return 0;
    if (memcmp(version.p, "HTTP/1.", 7) != 0 || version.p[7] < '0' || version.p[7] > '9'
        || version.p[8] != ' ' || (after != ' ' && after != '\r' && after != '\n'))
        return 0;
    unsigned status = 0;
    for (int i = 0; i < 3; i++) {
        if (code.p[i] < '0' || code.p[i] > '9')
            return 0;
        status = status * 10 + (unsigned)(code.p[i] - '0');
    }
    return status >= 100 && status <= 599 ? status : 0;
}
