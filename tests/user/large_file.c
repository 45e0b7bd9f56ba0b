/* SPDX-License-Identifier: MIT */
/*
 * A file that is much larger than memory is read, searched through a mapping, and copied; nobody ends for
 * it. It is /large of the root, and holds at each word its place, but for one that is searched.
 *
 * run: on=never
 */
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "check.h"

enum { WORDS = 16384, PART = WORDS * 4 };
static const uint32_t needle = 0xDEADBEEF;

static uint32_t words[WORDS];

static bool is_right(const uint32_t *from, uint32_t first, uint32_t *found)
{
    for (uint32_t i = 0; i < WORDS; i++)
        if (from[i] == needle)
            *found = first + i;
        else if (from[i] != first + i)
            return false;
    return true;
}

static void say_time(const char *what)
{
    static struct timeval before;
    struct timeval now;
    gettimeofday(&now, NULL);
    if (before.tv_sec != 0)
        check_note("%s: %ld ms", what,
                   (long)(now.tv_sec - before.tv_sec) * 1000 +
                       (now.tv_usec - before.tv_usec) / 1000);
    before = now;
}

int main(void)
{
    struct stat status;
    int from = open("/large", O_RDONLY), to = open("/copy", O_WRONLY | O_CREAT | O_EXCL, 0644);
    uint32_t found = 0, searched = 0, parts, i;
    CHECK(from >= 0 && to >= 0 && fstat(from, &status) == 0);
    parts = (uint32_t)(status.st_size / PART);
    say_time("");
    for (i = 0; i < parts && read(from, words, PART) == PART; i++)
        if (!is_right(words, i * WORDS, &found))
            break;
    CHECK_THAT("all of it is read", i == parts && found != 0);
    say_time("read");
    const uint32_t *map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, from, 0);
    CHECK(map != MAP_FAILED);
    for (i = 0; i < parts; i++)
        if (!is_right(map + i * WORDS, i * WORDS, &searched))
            break;
    CHECK_THAT("and found by memory", i == parts && searched == found);
    CHECK(munmap((void *)map, (size_t)status.st_size) == 0);
    say_time("search");
    CHECK(lseek(from, 0, SEEK_SET) == 0);
    for (i = 0; i < parts && read(from, words, PART) == PART; i++)
        if (write(to, words, PART) != PART)
            break;
    CHECK_THAT("all of it is copied", i == parts);
    CHECK(fsync(to) == 0 && close(to) == 0);
    say_time("copy");
    return check_end();
}
