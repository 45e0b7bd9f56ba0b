/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Private. Uses: layers 0-3. Used by: mm/object.c.
 *
 * The tree of an object's pages (include/mm/object.h) at its end.
 */
#ifndef MM_OBJECT_PAGES_H
#define MM_OBJECT_PAGES_H

#include <mm/object.h>

/* OBJECT has no page and no level any more: its references are given back. */
void object_drop_pages(struct object *object);

#endif
