/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Tests of pipes, with transfers of the kernel's own: nobody sleeps. What needs a process
 * that waits, or a program's memory, is in tests/user/file_pipe.c.
 */
#include <file/open_file.h>
#include <kernel/string.h>
#include <kernel/test.h>
#include <mm/heap.h>
#include <process/errno.h>

enum { CAPACITY = 64 * 1024, ATOMIC = 4096 };

static struct process writing; /* what a write looks at: nothing was done before */
static uint8_t *buffer;        /* of CAPACITY bytes, from make() to the end of the test */

struct ends {
    struct file *reader, *writer;
};

static bool make(struct ends *ends)
{
    void *block;
    bool has_memory = kmalloc(CAPACITY, &block) == KERR_OK;
    EXPECT(has_memory);
    if (!has_memory)
        return false;
    buffer = block;
    memset(buffer, 0, CAPACITY);
    bool made = pipe_create(0, &ends->reader, &ends->writer) == KERR_OK;
    EXPECT(made);
    if (!made)
        kfree(buffer);
    return made;
}

static void close_both(const struct ends *ends)
{
    file_put(ends->writer);
    file_put(ends->reader);
    kfree(buffer);
}

static int32_t put(const struct ends *ends, void *from, uint32_t bytes)
{
    struct transfer transfer = transfer_of_kernel(from, bytes);
    return ends->writer->operations->write(&writing, ends->writer, &transfer);
}

static int32_t take(const struct ends *ends, void *to, uint32_t bytes)
{
    struct transfer transfer = transfer_of_kernel(to, bytes);
    return ends->reader->operations->read(&writing, ends->reader, &transfer);
}

TEST("pipe", "some bytes written: are read in order, then it is empty")
{
    struct ends ends;
    char text[8] = "";
    if (!make(&ends))
        return;
    EXPECT_EQUAL(take(&ends, text, 8), -EAGAIN);
    EXPECT_EQUAL(put(&ends, (char[]){"abc"}, 3), 3);
    EXPECT_EQUAL(put(&ends, (char[]){"de"}, 3), 3);
    EXPECT_EQUAL(take(&ends, text, 2), 2);
    EXPECT(strcmp(text, "ab") == 0);
    EXPECT_EQUAL(take(&ends, text, 8), 4);
    EXPECT(strcmp(text, "cde") == 0);
    EXPECT_EQUAL(take(&ends, text, 8), -EAGAIN);
    EXPECT_EQUAL(take(&ends, text, 0), 0);
    close_both(&ends);
}

TEST("pipe", "64 KiB: fit, in pages or bytewise, and not a byte more")
{
    struct ends ends;
    if (!make(&ends))
        return;
    for (uint32_t i = 0; i < CAPACITY / ATOMIC; i++)
        EXPECT_EQUAL(put(&ends, buffer, ATOMIC), ATOMIC);
    EXPECT_EQUAL(put(&ends, buffer, 1), -EAGAIN);
    EXPECT_EQUAL(take(&ends, buffer, 1), 1);
    EXPECT_EQUAL(put(&ends, buffer, 2), -EAGAIN);
    EXPECT_EQUAL(put(&ends, buffer, 1), 1);
    EXPECT_EQUAL(take(&ends, buffer, CAPACITY), CAPACITY);
    EXPECT_EQUAL(put(&ends, buffer, CAPACITY), CAPACITY);
    EXPECT_EQUAL(put(&ends, buffer, CAPACITY), -EAGAIN);
    close_both(&ends);
}

TEST("pipe", "up to 4096 bytes: all or nothing; more: as much as there is room for")
{
    struct ends ends;
    if (!make(&ends))
        return;
    EXPECT_EQUAL(put(&ends, buffer, CAPACITY - 100), CAPACITY - 100);
    EXPECT_EQUAL(put(&ends, buffer, 101), -EAGAIN);
    EXPECT_EQUAL(put(&ends, buffer, ATOMIC), -EAGAIN);
    EXPECT_EQUAL(put(&ends, buffer, ATOMIC + 1), 100);
    EXPECT_EQUAL(take(&ends, buffer, CAPACITY), CAPACITY);
    close_both(&ends);
}

TEST("pipe", "the writer closed: what is in it is read, then its end")
{
    struct ends ends;
    if (!make(&ends))
        return;
    EXPECT_EQUAL(put(&ends, buffer, 10), 10);
    file_put(ends.writer);
    EXPECT(ends.reader->operations->poll(ends.reader) == (POLL_READABLE | POLLHUP));
    EXPECT_EQUAL(take(&ends, buffer, 100), 10);
    EXPECT_EQUAL(take(&ends, buffer, 100), 0);
    EXPECT(ends.reader->operations->poll(ends.reader) == POLLHUP);
    file_put(ends.reader);
    kfree(buffer);
}

TEST("pipe", "poll: a page of room is writable, no reader is an error")
{
    struct ends ends;
    if (!make(&ends))
        return;
    uint32_t (*poll)(struct file *) = ends.writer->operations->poll;
    EXPECT(poll(ends.writer) == POLL_WRITABLE);
    EXPECT(ends.reader->operations->poll(ends.reader) == 0);
    EXPECT_EQUAL(put(&ends, buffer, CAPACITY - ATOMIC + 1), CAPACITY - ATOMIC + 1);
    EXPECT(poll(ends.writer) == 0);
    EXPECT_EQUAL(take(&ends, buffer, 1), 1);
    EXPECT(poll(ends.writer) == POLL_WRITABLE);
    file_put(ends.reader);
    EXPECT(poll(ends.writer) == (POLL_WRITABLE | POLLERR));
    file_put(ends.writer);
    kfree(buffer);
}

TEST("pipe", "its capacity: a power of two of pages, not less than it holds")
{
    struct ends ends;
    if (!make(&ends))
        return;
    EXPECT_EQUAL(pipe_capacity(ends.reader), CAPACITY);
    EXPECT_EQUAL(put(&ends, buffer, 5000), 5000);
    EXPECT_EQUAL(pipe_set_capacity(ends.reader, 4096), -EBUSY);
    EXPECT_EQUAL(pipe_set_capacity(ends.reader, 5000), 8192);
    EXPECT_EQUAL(put(&ends, buffer, 5000), 8192 - 5000);
    EXPECT_EQUAL(pipe_set_capacity(ends.writer, CAPACITY + 1), -EPERM);
    EXPECT_EQUAL(take(&ends, buffer, CAPACITY), 8192);
    EXPECT_EQUAL(pipe_set_capacity(ends.writer, 0), 4096);
    EXPECT_EQUAL(put(&ends, buffer, 5000), 4096);
    close_both(&ends);
}

/* The stream of bytes that goes in must come out. */
static uint8_t stream_byte(uint32_t place)
{
    return (uint8_t)(place * 7 + place / 251);
}

TEST("pipe", "random writes and reads, sizes and fills: the stream stays what it is")
{
    enum { PIECE_MAX = 3 * ATOMIC };
    uint8_t *const piece = test_scratch;
    uint32_t seed = 20261120, written = 0, read = 0;
    uint32_t used_before = kernel_heap.used_blocks;
    struct ends ends;
    if (!make(&ends))
        return;
    for (unsigned round = 0; round < 3000; round++) {
        uint32_t bytes = test_random(&seed) % PIECE_MAX + 1;
        if (round % 3 == 0)
            bytes = bytes % 9 + 1;
        bool writes = test_random(&seed) % 100 < (round / 300 % 2 == 0 ? 60u : 40u);
        if (writes) {
            for (uint32_t i = 0; i < bytes; i++)
                piece[i] = stream_byte(written + i);
            int32_t done = put(&ends, piece, bytes);
            written += done > 0 ? (uint32_t)done : 0;
            continue;
        }
        int32_t done = take(&ends, piece, bytes);
        for (int32_t i = 0; i < done; i++)
            REQUIRE(piece[i] == stream_byte(read + (uint32_t)i));
        read += done > 0 ? (uint32_t)done : 0;
    }
    EXPECT(written > CAPACITY * 4);
    EXPECT_EQUAL(take(&ends, buffer, CAPACITY) > 0 ? 1 : 0, written > read ? 1 : 0);
    close_both(&ends);
    EXPECT_EQUAL(kernel_heap.used_blocks, used_before);
}

TEST("pipe", "a byte there and back, many times: no page more than the first")
{
    struct ends ends;
    uint8_t byte = 1;
    if (!make(&ends))
        return;
    EXPECT_EQUAL(put(&ends, &byte, 1), 1);
    uint32_t used = kernel_heap.used_blocks;
    EXPECT_EQUAL(take(&ends, &byte, 1), 1);
    for (unsigned i = 0; i < 3 * ATOMIC; i++) {
        REQUIRE(put(&ends, &byte, 1) == 1);
        REQUIRE(take(&ends, &byte, 1) == 1);
    }
    EXPECT_EQUAL(kernel_heap.used_blocks, used);
    close_both(&ends);
}
