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

enum kerr user_read_string(char *to, uint32_t from, uint32_t room, uint32_t *length)
{
    uint32_t done = 0;

    while (done < room) {
        uint32_t bytes = piece_bytes(from + done, room - done);
        enum kerr error = user_read(to + done, from + done, bytes);
        if (error != KERR_OK)
            return error;
        for (; bytes != 0; bytes--, done++) {
            if (to[done] == '\0') {
                *length = done;
                return KERR_OK;
            }
        }
    }
    return KERR_NO_ROOM;
}
