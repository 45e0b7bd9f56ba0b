/* SPDX-License-Identifier: MIT */
/*
 * User test. More shared memory, and more files in memory, than there is RAM: their pages go to swap and come back,
 * for all who share them, by mappings and by calls.
 *
 * run: on=droste
 * run: memory=16
 * run: swap=96
 * run: seconds=180
 */
#include "check.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

enum {
    PAGE_BYTES = 4096,
    PAGES = 6144,
    WORDS = PAGE_BYTES / 4,
    CHILDREN = 3,
    AT_ONCE = 5 * PAGE_BYTES
};

static uint32_t value(uint32_t page, uint32_t i, uint32_t round)
{
    return (page * WORDS + i) * 2654435761u + round;
}

static void write_page(uint32_t *words, uint32_t page, uint32_t round)
{
    for (uint32_t i = 0; i < WORDS; i++)
        words[i] = value(page, i, round);
}

static uint32_t count_wrong(const uint32_t *words, uint32_t page, uint32_t round)
{
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < WORDS; i++)
        wrong += words[i] != value(page, i, round);
    return wrong;
}

static uint32_t *page_of(uint32_t *memory, uint32_t page)
{
    return memory + (size_t)page * WORDS;
}

static uint32_t count_all_wrong(uint32_t *memory, uint32_t round)
{
    uint32_t wrong = 0;
    for (uint32_t page = 0; page < PAGES; page++)
        wrong += count_wrong(page_of(memory, page), page, round);
    return wrong;
}

/* Each child sees what was written, and writes its own pages; all see them. */
static void share(uint32_t *memory)
{
    unsigned failed = 0;
    uint32_t wrong = 0;
    for (uint32_t child = 0; child < CHILDREN; child++)
        if (fork() == 0) {
            uint32_t seen = 0;
            for (uint32_t page = child; page < PAGES; page += CHILDREN) {
                seen += count_wrong(page_of(memory, page), page, 1);
                write_page(page_of(memory, page), page, 2);
            }
            _exit(seen != 0);
        }
    for (uint32_t child = 0; child < CHILDREN; child++) {
        int status = -1;
        wait(&status);
        failed += status != 0;
    }
    wrong = count_all_wrong(memory, 2);
    CHECK_THAT("children see what is shared", failed == 0);
    CHECK_THAT("and what they write is seen", wrong == 0);
}

static void shared_memory(void)
{
    uint32_t *memory = mmap(NULL, (size_t)PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    for (uint32_t page = 0; page < PAGES; page++)
        write_page(page_of(memory, page), page, 1);
    CHECK_THAT("shared memory keeps what was written", count_all_wrong(memory, 1) == 0);
    share(memory);
    munmap(memory, (size_t)PAGES * PAGE_BYTES);
}

/* A file of more than RAM has, written and read by calls; then it is mapped, changed in the middle, cut. */
static void file_in_memory(void)
{
    static uint32_t words[AT_ONCE / 4];
    uint32_t wrong = 0, here;
    struct stat status;
    mkdir("/tmp/large", 0700);
    CHECK(mount("large", "/tmp/large", "tmpfs", 0, "size=32M") == 0);
    int file = open("/tmp/large/file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(file >= 0);
    for (uint32_t page = 0; page < PAGES; page++) {
        write_page(words, page, 3);
        wrong += write(file, words, PAGE_BYTES) != PAGE_BYTES;
    }
    CHECK_THAT("a file is written", wrong == 0);
    CHECK(fstat(file, &status) == 0 && status.st_size == (off_t)PAGES * PAGE_BYTES &&
          status.st_blocks == PAGES * 8);
    lseek(file, 0, SEEK_SET);
    for (uint32_t page = 0; page < PAGES; page += here) {
        here = (uint32_t)read(file, words, AT_ONCE) / PAGE_BYTES;
        if (here == 0 || here > AT_ONCE / PAGE_BYTES)
            break;
        for (uint32_t i = 0; i < here; i++)
            wrong += count_wrong(words + i * WORDS, page + i, 3);
    }
    CHECK_THAT("and read", wrong == 0 && lseek(file, 0, SEEK_CUR) == (off_t)PAGES * PAGE_BYTES);
    CHECK_THAT("it has no hole", lseek(file, 0, SEEK_HOLE) == (off_t)PAGES * PAGE_BYTES);
    uint32_t *memory =
        mmap(NULL, (size_t)PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(memory != MAP_FAILED);
    CHECK_THAT("a mapping shows the same", count_all_wrong(memory, 3) == 0);
    for (uint32_t page = 0; page < PAGES; page++)
        write_page(page_of(memory, page), page, 4);
    for (uint32_t page = 0; page < PAGES; page += 7) {
        wrong += pread(file, words, PAGE_BYTES, (off_t)page * PAGE_BYTES) != PAGE_BYTES;
        wrong += count_wrong(words, page, 4);
    }
    CHECK_THAT("and calls what is written there", wrong == 0);
    CHECK(ftruncate(file, 100 * PAGE_BYTES + 10) == 0 && ftruncate(file, 101 * PAGE_BYTES) == 0);
    CHECK(pread(file, words, PAGE_BYTES, 100 * PAGE_BYTES) == PAGE_BYTES);
    CHECK_THAT("what was cut off is zeros",
               words[2] == (value(100, 2, 4) & 0xFFFF) && words[3] == 0 && words[WORDS - 1] == 0);
    close(file);
    munmap(memory, (size_t)PAGES * PAGE_BYTES);
    CHECK(unlink("/tmp/large/file") == 0 && umount("/tmp/large") == 0);
}

int main(void)
{
    struct sysinfo before;
    sysinfo(&before);
    CHECK_THAT("there is swap", before.totalswap >= 90ul * 1024 * 1024);
    shared_memory();
    file_in_memory();
    return check_end();
}
