/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Transfers between a file and the pieces of memory of a read or write (open_file.h).
 *
 * The usual transfer has one piece and is done by one copy; what spans pieces takes the longer way.
 */
#include <kernel/string.h>

#include "open_file.h"

enum direction { TO_USER, FROM_USER, ZEROS };

static kerr_t copy(uint32_t address, void *memory, uint32_t bytes, enum direction direction)
{
    switch (direction) {
    case TO_USER:
        return user_write(address, memory, bytes);
    case FROM_USER:
        return user_read(memory, address, bytes);
    default:
        return user_clear(address, bytes);
    }
}

static void copy_in_kernel(void *piece, void *memory, uint32_t bytes, enum direction direction)
{
    if (direction == TO_USER)
        memcpy(piece, memory, bytes);
    else if (direction == FROM_USER)
        memcpy(memory, piece, bytes);
    else
        memset(piece, 0, bytes);
}

/* There are bytes left: the current piece has some. Pieces may be empty. */
static void find_piece(struct transfer *transfer)
{
    while (transfer->bytes_here == 0 && transfer->bytes > 0) {
        transfer->address = transfer->next_piece->address;
        transfer->bytes_here = transfer->next_piece->bytes;
        transfer->next_piece++;
    }
}

static kerr_t move(struct transfer *transfer, void *memory, uint32_t bytes,
                   enum direction direction)
{
    if (transfer->flags & TRANSFER_OF_KERNEL) {
        copy_in_kernel(transfer_place(transfer), memory, bytes, direction);
        transfer_advance(transfer, bytes);
        return KERR_OK;
    }
    while (bytes > 0) {
        find_piece(transfer);
        uint32_t part = bytes < transfer->bytes_here ? bytes : transfer->bytes_here;
        enum kerr error = copy(transfer->address, memory, part, direction);
        if (error != KERR_OK)
            return error;
        transfer_advance(transfer, part);
        memory = (uint8_t *)memory + part;
        bytes -= part;
    }
    return KERR_OK;
}

enum kerr transfer_to_pieces(struct transfer *transfer, const void *from, uint32_t bytes)
{
    return move(transfer, (void *)(uintptr_t)from, bytes, TO_USER); /* which only reads there */
}

enum kerr transfer_from_pieces(struct transfer *transfer, void *to, uint32_t bytes)
{
    return move(transfer, to, bytes, FROM_USER);
}

enum kerr transfer_some_to_pieces(struct transfer *transfer, const void *from, uint32_t *bytes)
{
    *bytes = transfer_step(transfer, *bytes);
    return transfer_to_pieces(transfer, from, *bytes);
}

enum kerr transfer_some_from_pieces(struct transfer *transfer, void *to, uint32_t *bytes)
{
    *bytes = transfer_step(transfer, *bytes);
    return transfer_from_pieces(transfer, to, *bytes);
}

enum kerr transfer_zeros(struct transfer *transfer, uint32_t bytes)
{
    return move(transfer, NULL, bytes, ZEROS);
}

void transfer_skip(struct transfer *transfer, uint32_t bytes)
{
    bytes = bytes < transfer->bytes ? bytes : transfer->bytes;
    while (bytes > 0) {
        find_piece(transfer);
        uint32_t part = bytes < transfer->bytes_here ? bytes : transfer->bytes_here;
        transfer_advance(transfer, part);
        bytes -= part;
    }
}

uint32_t transfer_step(struct transfer *transfer, uint32_t most)
{
    find_piece(transfer);
    uint32_t bytes = most < transfer->bytes_here ? most : transfer->bytes_here;
    uint32_t in_page = PAGE_BYTES - transfer->address % PAGE_BYTES;
    return bytes < in_page ? bytes : in_page;
}
