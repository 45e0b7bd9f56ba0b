/* SPDX-License-Identifier: MIT */
/* Host test. Several programs at once do random operations, until all are quiet. */
#ifndef TESTS_HOST_SYSTEM_ROUNDS_H
#define TESTS_HOST_SYSTEM_ROUNDS_H

#include <kernel/types.h>

/* Nobody has children yet. */
void rounds_begin(void);

/* COUNT operations of the first program and its children. WORKER: the first one leaves them to a child, and
 * makes a new one if that ends. */
enum rounds_who { BY_ALL, BY_CHILDREN };
void rounds_run(uint64_t count, enum rounds_who who);

/* All children have ended, and the first program has nothing open or mapped. */
void rounds_end(void);

/* It is as the model says, here, on the disk, and when it comes from there. */
void rounds_judge(void);

/* One time of so many operations, all that can go out of memory goes. 0: some of it, now and then. */
extern uint32_t rounds_absent;

#endif
