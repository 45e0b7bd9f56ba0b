/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. Uses: layer 0. Used by: device/.
 *
 * PCI configuration space, as far as a driver of this layer asks for it: bus 0, by the ports 0xCF8
 * and 0xCFC.
 */
#ifndef DEVICE_PCI_H
#define DEVICE_PCI_H

#include <kernel/types.h>

/* A function of a device on bus 0. */
struct pci_function {
    uint8_t device, function;
};

enum pci_register {
    PCI_ID = 0x00,      /* vendor (ffff: there is none), device */
    PCI_COMMAND = 0x04, /* and status in the upper half, whose bits are cleared by writing ones */
    PCI_CLASS = 0x08,   /* revision, programming interface, subclass, class */
    PCI_HEADER = 0x0C,
    PCI_BAR_0 = 0x10, /* and five more, 4 bytes each */
};

enum pci_command { PCI_COMMAND_IO = 1, PCI_COMMAND_BUS_MASTER = 4 };

uint32_t pci_read(struct pci_function function, uint8_t at);
void pci_write(struct pci_function function, uint8_t at, uint32_t value);

/*
 * The first function of CLASS (class << 8 | subclass) on bus 0.
 *   returns false: there is none, or no PCI
 */
bool pci_find(uint16_t class, struct pci_function *function);

#endif
