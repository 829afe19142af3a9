/* The few plain-HTTP requests that matter: the firmware's own calls (GET /server/assign?...&mac=,
 * GET /versions.xml?mac=&hw=&product=) and the User-Agent towards configured hosts. RFC 9110, RFC
 * 9112. */
#pragma once
#include "decoders/msg.h"

struct http_request {
    uint8_t call; /* enum http_call */
    bool has_mac;
    uint8_t mac[6];
    struct bytes host, user_agent; /* into `in`, or absent */
    struct bytes product, hw;      /* likewise; still percent-encoded */
    size_t head_len;               /* bytes up to and with the empty line */
    uint64_t body_len;             /* Content-Length; 0 where absent */
    bool login;                    /* Authorization: Basic or Bearer (RFC 7617, RFC 6750) */
};

/* Could this be the start of an HTTP request? Looks at the method and the blank after it. */
bool http_plausible_request(struct cur in);

/* Parses one request head at the start of `in`.
 * Returns OUT_OK (out filled), OUT_TRUNCATED (no empty line yet and `in` is snapped: wait for
 * more), OUT_MALFORMED. Heads over 8 KiB are OUT_MALFORMED. MAC in any usual spelling (12 hex
 * digits, with or without ':' '-' or '%3A'). */
enum outcome http_request_decode(struct cur in, struct http_request *out);

/* Status code of the response that starts at `in` (RFC 9112 4): 100..599; 0 where it is none or not
 * whole. */
unsigned http_status(struct cur in);
