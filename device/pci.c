/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. PCI configuration space (pci.h).
 * Source: PCI Local Bus Specification 3.0, "Configuration Mechanism" and "Configuration Space".
 */
#include "pci.h"

#include <arch/i386/io.h>

enum {
    CONFIG_ADDRESS = 0xCF8,
    CONFIG_DATA = 0xCFC,
    DEVICES = 32,
    FUNCTIONS = 8,
    NO_VENDOR = 0xFFFF,
    HEADER_MANY_FUNCTIONS = 1u << 23,
};
#define CONFIG_ENABLE (1u << 31)

static void aim(struct pci_function function, uint8_t at)
{
    outl(CONFIG_ADDRESS, CONFIG_ENABLE | (uint32_t)function.device << 11 |
                             (uint32_t)function.function << 8 | (at & 0xFCu));
}

uint32_t pci_read(struct pci_function function, uint8_t at)
{
    aim(function, at);
    return inl(CONFIG_DATA);
}

void pci_write(struct pci_function function, uint8_t at, uint32_t value)
{
    aim(function, at);
    outl(CONFIG_DATA, value);
}

/* The address register keeps what is written; where there is no PCI nothing does. */
static bool is_there(void)
{
    outl(CONFIG_ADDRESS, CONFIG_ENABLE);
    return inl(CONFIG_ADDRESS) == CONFIG_ENABLE;
}

bool pci_find(uint16_t class, struct pci_function *function)
{
    if (!is_there())
        return false;
    for (uint32_t device = 0; device < DEVICES; device++) {
        uint32_t functions = 1;
        for (uint32_t i = 0; i < functions; i++) {
            *function = (struct pci_function){(uint8_t)device, (uint8_t)i};
            if ((pci_read(*function, PCI_ID) & 0xFFFF) == NO_VENDOR)
                continue;
            if (pci_read(*function, PCI_CLASS) >> 16 == class)
                return true;
            if (i == 0 && (pci_read(*function, PCI_HEADER) & HEADER_MANY_FUNCTIONS) != 0)
                functions = FUNCTIONS;
        }
    }
    return false;
}
