/* SPDX-License-Identifier: MIT */
/*
 * Host model. RAM (ram.h).
 *
 * Only frames that have changed since ram_save() are copied back, so that going back costs what
 * was done, not the size of RAM.
 */
#include "ram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { GARBAGE = 0xA7 }; /* as an entry: present, and far outside RAM */

static int file = -1;
static uint8_t *ram;
static uint8_t *saved[RAM_FRAMES_MAX]; /* NULL: it was not touched then */
static bool is_touched[RAM_FRAMES_MAX];
static bool is_changed[RAM_FRAMES_MAX];
static uint32_t changed[RAM_FRAMES_MAX], changed_count;

void ram_make(void)
{
    file = memfd_create("ram", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, (off_t)RAM_BYTES_MAX) != 0) {
        perror("machine: memfd_create");
        abort();
    }
    ram = mmap(NULL, RAM_BYTES_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
    if (ram == MAP_FAILED) {
        perror("machine: mmap of RAM");
        abort();
    }
}

int ram_file(void)
{
    return file;
}

uint32_t *ram_words(uint32_t n)
{
    uint8_t *at = ram + ((size_t)n << PAGE_SHIFT);
    if (!is_touched[n]) {
        is_touched[n] = true;
        memset(at, GARBAGE, PAGE_BYTES);
    }
    return (uint32_t *)at;
}

void ram_will_change(uint32_t n)
{
    if (is_changed[n])
        return;
    is_changed[n] = true;
    changed[changed_count++] = n;
}

static void nothing_changed(void)
{
    for (uint32_t i = 0; i < changed_count; i++)
        is_changed[changed[i]] = false;
    changed_count = 0;
}

void ram_new(void)
{
    for (uint32_t n = 0; n < RAM_FRAMES_MAX; n++) {
        free(saved[n]);
        saved[n] = NULL;
        is_touched[n] = false;
    }
    nothing_changed();
}

void ram_save(void)
{
    for (uint32_t n = 0; n < RAM_FRAMES_MAX; n++) {
        if (!is_touched[n])
            continue;
        if (saved[n] == NULL)
            saved[n] = malloc(PAGE_BYTES);
        memcpy(saved[n], ram_words(n), PAGE_BYTES);
    }
    nothing_changed();
}

void ram_restore(void)
{
    for (uint32_t i = 0; i < changed_count; i++) {
        uint32_t n = changed[i];
        if (saved[n] != NULL)
            memcpy(ram_words(n), saved[n], PAGE_BYTES);
        else
            is_touched[n] = false; /* garbage again */
    }
    nothing_changed();
}
