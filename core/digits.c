#include "core/digits.h"

#define TEN(high)                                                                                  \
    high "0" high "1" high "2" high "3" high "4" high "5" high "6" high "7" high "8" high "9"
#define HUNDRED(high)                                                                              \
    TEN(high "0")                                                                                  \
    TEN(high "1")                                                                                  \
    TEN(high "2")                                                                                  \
    TEN(high "3")                                                                                  \
    TEN(high "4") TEN(high "5") TEN(high "6") TEN(high "7") TEN(high "8") TEN(high "9")
#define SIXTEEN(high) TEN(high) high "a" high "b" high "c" high "d" high "e" high "f"

const char digits_triples[3004] = HUNDRED("0") HUNDRED("1") HUNDRED("2") HUNDRED("3") HUNDRED("4")
    HUNDRED("5") HUNDRED("6") HUNDRED("7") HUNDRED("8") HUNDRED("9");
const char digits_bytes[513] = SIXTEEN("0") SIXTEEN("1") SIXTEEN("2") SIXTEEN("3") SIXTEEN("4")
    SIXTEEN("5") SIXTEEN("6") SIXTEEN("7") SIXTEEN("8") SIXTEEN("9") SIXTEEN("a") SIXTEEN("b")
        SIXTEEN("c") SIXTEEN("d") SIXTEEN("e") SIXTEEN("f");

enum { E3 = 1000, E6 = 1000000, E9 = 1000000000 };

static char *nine(char *p, uint32_t v)
{
    return digits_triple(digits_triple(digits_triple(p, v / E6), v / E3 % E3), v % E3);
}

/* Below 10^9. */
static char *up_to_nine(char *p, uint32_t v)
{
    if (v < E3)
        return digits_small(p, v);
    if (v < E6)
        return digits_triple(digits_small(p, v / E3), v % E3);
    return digits_triple(digits_triple(digits_small(p, v / E6), v / E3 % E3), v % E3);
}

char *digits_large(char *p, uint64_t v)
{
    if (v < E9)
        return up_to_nine(p, (uint32_t)v);
    uint64_t high = v / E9;
    if (high < E9)
        p = up_to_nine(p, (uint32_t)high);
    else
        p = nine(digits_small(p, (uint32_t)(high / E9)), (uint32_t)(high % E9));
    return nine(p, (uint32_t)(v % E9));
}
