/* What became of a packet. Each packet gets exactly one. */
#pragma once
#include <assert.h>

enum outcome {
    OUT_OK,          /* decoded, or its bytes were taken into a stream being decoded */
    OUT_NOT_MINE,    /* well, but no decoder's protocol */
    OUT_TRUNCATED,   /* the capture stops before a field that was needed (snaplen) */
    OUT_MALFORMED,   /* breaks its own specification */
    OUT_UNSUPPORTED, /* valid, and we chose not to decode it (a link type, a version) */
    OUT_FILTERED,    /* refused by the user's filter */
    OUT_FRAGMENT,    /* an IP fragment that did not complete a datagram */
    OUT_OUT_OF_TIME, /* beyond the number of windows a run may have */
    OUT_TABLE_FULL,  /* a state table was at its limit, so the packet could not be decoded */
    OUT_N
};

static const char *const outcome_name[] = {
    [OUT_OK] = "ok",
    [OUT_NOT_MINE] = "not_mine",
    [OUT_TRUNCATED] = "truncated",
    [OUT_MALFORMED] = "malformed",
    [OUT_UNSUPPORTED] = "unsupported",
    [OUT_FILTERED] = "filtered",
    [OUT_FRAGMENT] = "fragment",
    [OUT_OUT_OF_TIME] = "out_of_time",
    [OUT_TABLE_FULL] = "table_full",
};
static_assert(sizeof outcome_name / sizeof *outcome_name == OUT_N, "a name per outcome");
