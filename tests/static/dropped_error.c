/* SPDX-License-Identifier: MIT */
/* A call that may fail, and nobody looks. */
/* expected: unused-result */
#include <mm/paging.h>

void mistake(vaddr_t page, frame_t frame);
void mistake(vaddr_t page, frame_t frame)
{
#ifdef WRONG
    paging_map(page, frame, RIGHTS_READ);
#else
    if (paging_map(page, frame, RIGHTS_READ) != KERR_OK)
        return;
#endif
}
