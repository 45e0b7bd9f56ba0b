/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Errors in words.
 */
#include <kernel/kerr.h>

const char *kerr_text(enum kerr error)
{
    switch (error) {
    case KERR_OK:
        return "no error";
    case KERR_NO_MEMORY:
        return "out of memory";
    case KERR_NO_ROOM:
        return "no free range of addresses is large enough";
    case KERR_EXISTS:
        return "something is there already";
    case KERR_NOT_FOUND:
        return "nothing is there";
    case KERR_BAD_RANGE:
        return "bad range of addresses";
    case KERR_BAD_VALUE:
        return "a value makes no sense";
    case KERR_UNSUPPORTED:
        return "this machine can't do it";
    case KERR_BAD_ACCESS:
        return "the address may not be accessed so";
    case KERR_MUST_WAIT:
        return "it has to be waited for";
    case KERR_IO:
        return "a device could not read or write";
    case KERR_READ_ONLY:
        return "it is read-only";
    case KERR_NO_SPACE:
        return "no space is left";
    case KERR_NOT_EMPTY:
        return "a directory is not empty";
    case KERR_TOO_LARGE:
        return "a file is too large";
    case KERR_TOO_MANY:
        return "a file has too many links";
    case KERR_BUSY:
        return "it is in use";
    case KERR_AGAIN:
        return "there is more to do";
    }
    return "unknown error";
}
