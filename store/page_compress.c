/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Pages compressed (page_compress.h, which draws the format).
 *
 * Greedy, with one candidate for each key: what was seen last. A candidate is looked at before it is
 * believed, so the table is never cleared.
 */
#include "page_compress.h"

enum {
    MATCH_LEAST = 3,
    CODE_MOST = 15,                                          /* then bytes follow */
    GROUP_MOST = 1 + 8 * 2 + PAGE_BYTES / UINT8_MAX + 1 + 1, /* bytes that a group takes */
};

/* Four bytes at any address. */
struct any_word {
    uint32_t word;
} __attribute__((packed, may_alias));

static inline uint32_t word_at(const uint8_t *at)
{
    return ((const struct any_word *)at)->word;
}

static inline void store_word(uint8_t *at, uint32_t word)
{
    ((struct any_word *)at)->word = word;
}

/* ---- there ---- */

/* How many bytes from AT and from BEFORE on are the same, the first three of which are. */
static inline uint32_t length_of_match(const uint8_t *before, const uint8_t *at, const uint8_t *end)
{
    const uint8_t *from = at;
    while (at + 4 <= end) {
        uint32_t difference = word_at(at) ^ word_at(before);
        if (difference != 0)
            return (uint32_t)(at - from) + (uint32_t)__builtin_ctz(difference) / 8;
        at += 4;
        before += 4;
    }
    while (at < end && *at == *before) {
        at++;
        before++;
    }
    return (uint32_t)(at - from);
}

/* Of LENGTH bytes that stand DISTANCE back. Returns where the next item goes. */
static inline uint8_t *put_match(uint8_t *to, uint32_t distance, uint32_t length)
{
    uint32_t rest = length - MATCH_LEAST;
    uint32_t code = rest < CODE_MOST ? rest : (uint32_t)CODE_MOST,
             item = (distance - 1) | code << 12;
    *to++ = (uint8_t)item;
    *to++ = (uint8_t)(item >> 8);
    if (code < CODE_MOST)
        return to;
    for (rest -= CODE_MOST; rest >= UINT8_MAX; rest -= UINT8_MAX)
        *to++ = UINT8_MAX;
    *to++ = (uint8_t)rest;
    return to;
}

uint32_t page_compress(const void *page, void *to, uint32_t most,
                       struct page_compressor *compressor)
{
    const uint8_t *first = page, *end = first + PAGE_BYTES, *at = first;
    uint8_t *out = to;
    uint16_t *latest = compressor->latest;
    while (at < end) {
        if (most - (uint32_t)(out - (uint8_t *)to) < GROUP_MOST)
            return 0;
        uint32_t kinds = 0;
        uint8_t *flags = out++;
        for (uint32_t bit = 1; bit < 1u << 8 && at < end; bit <<= 1) {
            if (at + 4 <= end) {
                uint32_t three = word_at(at) << 8;
                uint16_t *seen = &latest[three * 2654435761u >> 20]; /* 2^32 by the golden ratio */
                const uint8_t *before = first + *seen;
                *seen = (uint16_t)(at - first);
                if (before < at && word_at(before) << 8 == three) {
                    uint32_t length = length_of_match(before, at, end);
                    out = put_match(out, (uint32_t)(at - before), length);
                    at += length;
                    kinds |= bit;
                    continue;
                }
            }
            *out++ = *at++;
        }
        *flags = (uint8_t)kinds;
    }
    return (uint32_t)(out - (uint8_t *)to);
}

/* ---- and back ---- */

/* LENGTH bytes from TO on become those that stand DISTANCE back. */
static inline void repeat(uint8_t *to, uint32_t distance, uint32_t length)
{
    const uint8_t *from = to - distance;
    if (distance < 4) { /* what repeats by 3 does by 6 as well: whole words from there on */
        uint32_t wide = distance == 3 ? 6 : 4;
        for (uint32_t i = distance; i < wide && length > 0; i++, length--)
            *to++ = *from++;
        from = to - wide;
    }
    for (; length >= 4; length -= 4, to += 4, from += 4)
        store_word(to, word_at(from));
    while (length-- > 0)
        *to++ = *from++;
}

/* A match at *FROM. Returns how many bytes it makes behind the DONE bytes before TO; 0: it is none. */
static inline uint32_t take_match(const uint8_t **from, const uint8_t *end, uint8_t *to,
                                  uint32_t done)
{
    const uint8_t *at = *from;
    if (end - at < 2)
        return 0;
    uint32_t distance = (at[0] | (at[1] & 0xFu) << 8) + 1, code = at[1] >> 4;
    uint32_t length = code + MATCH_LEAST;
    at += 2;
    if (code == CODE_MOST) {
        uint8_t more;
        do {
            if (at == end)
                return 0;
            more = *at++;
            length += more;
        } while (more == UINT8_MAX);
    }
    *from = at;
    if (distance > done || length > PAGE_BYTES - done)
        return 0;
    repeat(to, distance, length);
    return length;
}

bool page_decompress(const void *from, uint32_t bytes, void *page)
{
    const uint8_t *at = from, *end = at + bytes;
    uint8_t *to = page;
    uint32_t done = 0;
    while (done < PAGE_BYTES) {
        if (at == end)
            return false;
        uint32_t kinds = *at++;
        if (kinds == 0 && end - at >= 8 && PAGE_BYTES - done >= 8) {
            store_word(to + done, word_at(at));
            store_word(to + done + 4, word_at(at + 4));
            at += 8;
            done += 8;
            continue;
        }
        for (uint32_t i = 0; i < 8 && done < PAGE_BYTES; i++, kinds >>= 1) {
            if (kinds & 1) {
                uint32_t length = take_match(&at, end, to + done, done);
                if (length == 0)
                    return false;
                done += length;
            } else {
                if (at == end)
                    return false;
                to[done++] = *at++;
            }
        }
    }
    return true;
}
