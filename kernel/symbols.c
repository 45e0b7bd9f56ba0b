/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Finds the function of an address, in a table sorted by address (tools/link).
 *
 * Works in any state of the kernel: it reads constants and nothing else. In the first of the two
 * links the table is empty, and every question is answered with "unknown".
 */
#include <kernel/symbols.h>

struct symbol {
    uint32_t address;
    const char *name;
};

/* From linker.ld. */
extern const struct symbol symbols_first[], symbols_end[];
extern char text_start[], text_used_end[];

bool symbol_find(uint32_t address, const char **name, uint32_t *offset)
{
    size_t low = 0, high = (size_t)(symbols_end - symbols_first);

    if (address < (uint32_t)(uintptr_t)text_start || address >= (uint32_t)(uintptr_t)text_used_end)
        return false;
    /* Symbols below LOW are at or before ADDRESS, those from HIGH on are after it. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (symbols_first[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return false;
    *name = symbols_first[low - 1].name;
    *offset = address - symbols_first[low - 1].address;
    return true;
}
