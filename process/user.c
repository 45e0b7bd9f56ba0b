/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Copies to and from a program (user.h): what is not inline.
 */
#include <process/user.h>

enum kerr user_clear(uint32_t to, uint32_t bytes)
{
    if (!user_range_is_valid(to, bytes))
        return KERR_BAD_ACCESS;
    return vma_error_of(user_fill_zero(vaddr_to_pointer(VADDR(to)), bytes));
}

enum kerr user_touch(uint32_t to, uint32_t bytes)
{
    if (!user_range_is_valid(to, bytes))
        return KERR_BAD_ACCESS;
    for (uint32_t done = 0; done < bytes;) {
        uint8_t byte;
        enum kerr error = user_read(&byte, to + done, sizeof(byte));
        if (error == KERR_OK)
            error = user_write(to + done, &byte, sizeof(byte));
        if (error != KERR_OK)
            return error;
        done += PAGE_BYTES - (to + done) % PAGE_BYTES;
    }
    return KERR_OK;
}

enum kerr user_replace(uint32_t to, const void *from, uint32_t bytes)
{
    if (to % PAGE_BYTES + bytes <= PAGE_BYTES) /* a page can be written as a whole, or not at all */
        return user_write(to, from, bytes);
    enum kerr error = user_touch(to, bytes);
    return error == KERR_OK ? user_write(to, from, bytes) : error;
}

/* The next piece to fetch: a string may end just before a page that is not there. */
static uint32_t piece_bytes(uint32_t from, uint32_t room)
{
    enum { PIECE_BYTES = 64 };
    uint32_t bytes = PIECE_BYTES - from % PIECE_BYTES;
    return bytes < room ? bytes : room;
}
_Static_assert(PAGE_BYTES % 64 == 0, "no piece crosses the end of a page");

/* How many of the BYTES bytes of TEXT are before its end: words first that have no byte of zeros. */
static uint32_t bytes_before_end(const char *text, uint32_t bytes)
{
    const uint32_t ones = 0x01010101, tops = 0x80808080;
    uint32_t at = 0, word;
    for (; bytes - at >= sizeof(word); at += (uint32_t)sizeof(word)) {
        __builtin_memcpy(&word, text + at, sizeof(word));
        if (((word - ones) & ~word & tops) != 0)
            break;
    }
    while (at < bytes && text[at] != '\0')
        at++;
    return at;
}

enum kerr user_read_string(char *to, uint32_t from, uint32_t room, uint32_t *length)
{
    for (uint32_t done = 0; done < room;) {
        uint32_t bytes = piece_bytes(from + done, room - done);
        enum kerr error = user_read(to + done, from + done, bytes);
        if (error != KERR_OK)
            return error;
        uint32_t before_end = bytes_before_end(to + done, bytes);
        done += before_end;
        if (before_end < bytes) {
            *length = done;
            return KERR_OK;
        }
    }
    return KERR_NO_ROOM;
}
