/* SPDX-License-Identifier: MIT */
/* Host test of ext2: images that lie, for mutate.c's own changes and for libFuzzer. */
#ifndef TESTS_HOST_EXT2_MUTATE_H
#define TESTS_HOST_EXT2_MUTATE_H

#include <stdbool.h>
#include <stdint.h>

/* A good image, which stays. */
uint8_t *mutate_image(uint64_t *bytes);

/* Try all that can be done with IMAGE, which is taken over. False: it could not be unmounted. */
bool mutate_try(uint8_t *image, uint64_t bytes);

#endif
