/* SPDX-License-Identifier: MIT */
/*
 * Host test of ext2, for libFuzzer: an input is a list of changes to a good image, eight bytes each:
 * where (a block in 16 bits, a byte in it in 16), and what to (four bytes; how many of them: the upper bits of
 * the second number).
 */
#include "mutate.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { CHANGE_BYTES = 8, BLOCK_BYTES = 1024, OFFSET_BITS = 10 };
    uint64_t bytes;
    const uint8_t *good = mutate_image(&bytes);
    uint8_t *image = malloc(bytes);
    memcpy(image, good, bytes);
    for (; size >= CHANGE_BYTES; data += CHANGE_BYTES, size -= CHANGE_BYTES) {
        uint16_t block, offset;
        memcpy(&block, data, sizeof(block));
        memcpy(&offset, data + 2, sizeof(offset));
        uint64_t at = (uint64_t)block % (bytes / BLOCK_BYTES) * BLOCK_BYTES;
        uint32_t width = 1 + (offset >> OFFSET_BITS & 3), in_block = offset % BLOCK_BYTES;
        if (in_block + width <= BLOCK_BYTES)
            memcpy(image + at + in_block, data + 4, width);
    }
    /* What is dirty and has no place any more keeps the file system mounted (docs/limits.md). */
    (void)mutate_try(image, bytes);
    return 0;
}
