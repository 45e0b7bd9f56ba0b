/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Private. Uses: layers 0-3. Used by: mm/object*.c.
 *
 * What the units of objects know of each other.
 */
#ifndef MM_OBJECT_PAGES_H
#define MM_OBJECT_PAGES_H

#include <mm/object.h>

/* OBJECT has no page and no level any more: its references are given back. */
void object_drop_pages(struct object *object);

/* PAGE of OBJECT, whose frame goes, is NUMBER from here on: a slot, or the zero frame. */
void object_let_page_out(struct object *object, uint32_t page, frame_t number);

/* OBJECT ends: the hand of object_put_out() does not stand there. */
void object_out_forget(const struct object *object);

/*
 * No region shows pages of OBJECT from FROM on any more; private copies are gone as well.
 *   returns KERR_OK, KERR_NO_MEMORY (a shared table had to be copied)
 */
kerr_t object_hide(const struct object *object, uint32_t from);

#endif
