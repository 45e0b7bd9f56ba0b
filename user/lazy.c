/* SPDX-License-Identifier: MIT */
/*
 * A promise costs nothing: reserve 1 GiB on any machine, read all of it, write a little, and see
 * what was taken of the free memory at each step.
 *
 *   make run INIT=build/user/lazy MEM=16
 *
 * Change this and see: write every page; with CMDLINE=overcommit=2 the promise itself is refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

enum { MIB = 1 << 20, PAGE = 4096, RESERVED_MIB = 1024, WRITTEN = 100 };

static long free_kib(void)
{
    struct sysinfo info;

    if (sysinfo(&info) != 0) {
        perror("sysinfo");
        exit(1);
    }
    return (long)((unsigned long long)info.freeram * info.mem_unit / 1024);
}

/* Pages of the area that have a frame of their own; a MiB at a time. */
static long resident_pages(unsigned char *area)
{
    unsigned char present[MIB / PAGE];
    long count = 0;

    for (int part = 0; part < RESERVED_MIB; part++) {
        if (mincore(area + (size_t)part * MIB, MIB, present) != 0) {
            perror("mincore");
            exit(1);
        }
        for (int i = 0; i < MIB / PAGE; i++)
            count += present[i] & 1;
    }
    return count;
}

static void say(const char *what, unsigned char *area)
{
    static long before;
    long now = free_kib();

    if (before == 0)
        before = now;
    printf("%-40s %6ld KiB taken, %4ld pages of it resident\n", what, before - now,
           area == NULL ? 0 : resident_pages(area));
    fflush(stdout);
    before = free_kib();
}

int main(void)
{
    size_t bytes = (size_t)RESERVED_MIB * MIB;

    say("(begin)", NULL);
    unsigned char *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED) {
        perror("mmap of 1 GiB");
        return 1;
    }
    say("reserve 1 GiB", area);
    unsigned sum = 0;
    for (size_t at = 0; at < bytes; at += PAGE)
        sum += area[at];
    say("read a byte of each of its 262144 pages", area);
    for (int i = 0; i < WRITTEN; i++)
        area[(size_t)i * 2 * MIB] = 1;
    say("write 100 pages, 2 MiB apart", area);
    munmap(area, bytes);
    say("give it back", NULL);
    printf("The sum of all bytes was %u.\n", sum);
    return sum == 0 ? 0 : 1;
}
