#include "core/digits.h"

#define TEN(high)                                                                                  \
    high "0" high "1" high "2" high "3" high "4" high "5" high "6" high "7" high "8" high "9"
#define SIXTEEN(high) TEN(high) high "a" high "b" high "c" high "d" high "e" high "f"

const char digits_pairs[201] =
    TEN("0") TEN("1") TEN("2") TEN("3") TEN("4") TEN("5") TEN("6") TEN("7") TEN("8") TEN("9");
const char digits_bytes[513] = SIXTEEN("0") SIXTEEN("1") SIXTEEN("2") SIXTEEN("3") SIXTEEN("4")
    SIXTEEN("5") SIXTEEN("6") SIXTEEN("7") SIXTEEN("8") SIXTEEN("9") SIXTEEN("a") SIXTEEN("b")
        SIXTEEN("c") SIXTEEN("d") SIXTEEN("e") SIXTEEN("f");

enum { E4 = 10000, E8 = 100000000 };

static char *four(char *p, uint32_t v)
{
    return digits_pair(digits_pair(p, v / 100), v % 100);
}

static char *eight(char *p, uint32_t v)
{
    return four(four(p, v / E4), v % E4);
}

char *digits_large(char *p, uint64_t v)
{
    if (v < E8)
        return four(digits_small(p, (uint32_t)v / E4), (uint32_t)v % E4);
    uint64_t high = v / E8;
    if (high < E4)
        p = digits_small(p, (uint32_t)high);
    else if (high < E8)
        p = four(digits_small(p, (uint32_t)high / E4), (uint32_t)high % E4);
    else
        p = eight(digits_small(p, (uint32_t)(high / E8)), (uint32_t)(high % E8));
    return eight(p, (uint32_t)(v % E8));
}
