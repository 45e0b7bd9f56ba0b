/* SPDX-License-Identifier: MIT */
/*
 * tools/bench-compress builds and runs this: what the kernel's compressor, or LZ4 (with -DWITH_LZ4), makes
 * of pages in files. On the host, as a 32-bit program with the kernel's flags.
 *
 *     compress_bench pages PID          pages of a process's private, writable memory, to standard output
 *     compress_bench FILE               a row: what is kept of FILE's pages, and how fast
 *     compress_bench there|back|none N  for a counter of instructions: pages of standard input compressed N
 *                                       times, or compressed once and made pages again N times
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/page_compress.h"
#ifdef WITH_LZ4
#include "lz4.h"
#endif

enum { PAGE = 4096, MOST = PAGE * 3 / 4, PAGES = 4096, CHUNK = 128, HEAD = 8 };

static uint8_t pages[PAGES][PAGE], packed[PAGES][MOST], back[PAGE];
static uint32_t bytes[PAGES], count, same;

static uint32_t compress(const uint8_t *page, uint8_t *to)
{
#ifdef WITH_LZ4
    return (uint32_t)LZ4_compress_default((const char *)page, (char *)to, PAGE, MOST);
#else
    static struct page_compressor compressor;
    return page_compress(page, to, MOST, &compressor);
#endif
}

static bool decompress(const uint8_t *from, uint32_t size)
{
#ifdef WITH_LZ4
    return LZ4_decompress_safe((const char *)from, (char *)back, (int)size, PAGE) == PAGE;
#else
    return page_decompress(from, size, back);
#endif
}

/* Pages of FILE that are not full of one word. */
static void read_pages(FILE *file)
{
    while (count < PAGES && fread(pages[count], PAGE, 1, file) == 1)
        if (memcmp(pages[count], pages[count] + 4, PAGE - 4) == 0)
            same++;
        else
            count++;
}

static void there(void)
{
    for (uint32_t i = 0; i < count; i++)
        bytes[i] = compress(pages[i], packed[i]);
}

static void back_again(void)
{
    for (uint32_t i = 0; i < count; i++)
        if (bytes[i] != 0 &&
            (!decompress(packed[i], bytes[i]) || memcmp(back, pages[i], PAGE) != 0))
            exit(1);
}

/* MB/s of WORK, the best of a few. */
static double speed(void (*work)(void))
{
    double best = 0;
    for (int i = 0; i < 5; i++) {
        struct timespec begin, end;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        work();
        clock_gettime(CLOCK_MONOTONIC, &end);
        double seconds =
            (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) * 1e-9;
        double now = count * (double)PAGE / 1e6 / seconds;
        best = now > best ? now : best;
    }
    return best;
}

/* PAGES  OF ONE WORD  TOO LARGE  RATIO  AS KEPT  MB/s THERE  BACK. "As kept" is in chunks, as the kernel does. */
static void print_row(void)
{
    double sum = 0, kept = 0, to = speed(there), from = speed(back_again);
    uint32_t large = 0;
    for (uint32_t i = 0; i < count; i++) {
        large += bytes[i] == 0;
        sum += bytes[i] == 0 ? PAGE : bytes[i];
        kept += bytes[i] == 0 ? PAGE : (bytes[i] + HEAD + CHUNK - 1) / CHUNK * CHUNK;
    }
    printf("%6u %6u %6u %8.2f %8.2f %8.0f %8.0f\n", (unsigned)count, (unsigned)same,
           (unsigned)large, count * (double)PAGE / sum, count * (double)PAGE / kept, to, from);
}

static int dump(const char *pid)
{
    char path[64], line[512];
    snprintf(path, sizeof(path), "/proc/%s/maps", pid);
    FILE *maps = fopen(path, "r");
    snprintf(path, sizeof(path), "/proc/%s/mem", pid);
    int memory = open(path, O_RDONLY);
    snprintf(path, sizeof(path), "/proc/%s/pagemap", pid);
    int here = open(path, O_RDONLY);
    if (maps == NULL || memory < 0 || here < 0)
        return 1;
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long long at, end;
        char rights[8];
        if (sscanf(line, "%llx-%llx %7s", &at, &end, rights) != 3 || rights[1] != 'w' ||
            rights[3] != 'p')
            continue;
        for (; at < end; at += PAGE) {
            uint64_t entry = 0; /* bit 63: it is in memory; bit 61: it is a file's */
            if (pread(here, &entry, 8, (off_t)(at / PAGE * 8)) == 8 && entry >> 63 != 0 &&
                (entry >> 61 & 1) == 0 && pread(memory, back, PAGE, (off_t)at) == PAGE)
                fwrite(back, PAGE, 1, stdout);
        }
    }
    return 0;
}

int main(int words, char **word)
{
    if (words == 3 && strcmp(word[1], "pages") == 0)
        return dump(word[2]);
    if (words == 2) {
        FILE *file = fopen(word[1], "r");
        if (file == NULL)
            return 1;
        read_pages(file);
        print_row();
        return 0;
    }
    read_pages(stdin);
    there();
    for (int i = atoi(word[2]); i > 0; i--)
        for (uint32_t j = 0; j < count; j++)
            if (strcmp(word[1], "there") == 0)
                bytes[j] = compress(pages[j], packed[j]);
            else if (strcmp(word[1], "back") == 0 && bytes[j] != 0)
                (void)decompress(packed[j], bytes[j]);
    printf("%u\n", (unsigned)count);
    return 0;
}
