/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types, kerr. Used by: main and every unit that must be brought up.
 *
 * Layers are brought up in order, from below, by main(). It finds them in a linker set and so
 * needs no name from above: a kernel linked with layers 0..N alone is a whole kernel
 * (docs/layers.md, third proof).
 */
#ifndef KERNEL_LAYER_H
#define KERNEL_LAYER_H

#include <kernel/kerr.h>

struct boot_info;

struct layer {
    const char *name;
    enum kerr (*init)(const struct boot_info *boot);
};

/*
 * LAYER(01a, "frame", frame_layer_init): ORDER is the layer in two digits and a letter for the
 * order inside it; the linker script sorts by it. An error stops the boot with a message.
 */
#define LAYER(order, layer_name, function)                                                         \
    static const struct layer layer_##order                                                        \
        __attribute__((section(".layers." #order), used)) = {(layer_name), (function)}

/* The set, [layers_first, layers_end), in order; from linker.ld. */
extern const struct layer layers_first[], layers_end[];

/*
 * MAIN_LOOP(prompt_run): who takes over when every layer is up, and never returns. At most one
 * unit says so; a kernel without one halts.
 */
#define MAIN_LOOP(function)                                                                        \
    static void (*const main_loop)(void) __attribute__((section(".main_loops"), used)) = (function)

/* The set; from linker.ld. */
extern void (*const main_loops_first[])(void), (*const main_loops_end[])(void);

#endif
