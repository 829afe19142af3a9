/* The objects of an event: `"dns":{...}`, `"ntp":{...}`, `"quic":{...}`,
 * `"tls":{...}`. */
#pragma once
#include "core/answer.h"
#include "core/cert.h"
#include "core/config.h"
#include "core/msg.h"
#include "core/text.h"

/* Each writes one member without a comma. Absent means false, zero or unknown, but for the members
 * docs/events.md calls constant. */
void events_dns(struct text_sink *t, const struct config *config, const struct msg *m);
void events_ntp(struct text_sink *t, const struct msg *m);
void events_quic(struct text_sink *t, const struct config *config, const struct msg *m);
/* What the server answered, where it is known. */
struct events_answer {
    const struct answer *a;
    const struct cert *leaf; /* its own certificate */
    const struct cert_label *label;
};
void events_tls(struct text_sink *t, const struct config *config, const struct msg *m,
                const struct events_answer *answer);

/* Seconds with six digits, "-0.000392". */
void events_seconds(struct text_sink *t, int64_t ns);
