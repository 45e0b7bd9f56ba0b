/* SPDX-License-Identifier: MIT */
/* The number of a frame where its address is meant. */
/* expected: incompatible type for argument|passing 'frame_t' */
#include <kernel/types.h>

frame_t mistake(frame_t frame);
frame_t mistake(frame_t frame)
{
#ifdef WRONG
    return paddr_to_frame(frame);
#else
    return paddr_to_frame(frame_to_paddr(frame));
#endif
}
