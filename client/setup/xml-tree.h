/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A definition of libvirt's as a tree that is changed in places and written
 * again as it was everywhere else: comments, order, indentation, and libvirt's
 * own way to quote. Elements are libvirt's own, without a namespace. */

#include <libxml/tree.h>

#include "common/mem.h"

DEFINE_CLEANUP(xmlDoc *, xmlFreeDoc);

/* Negative with a sentence in *ret_error (owned by the caller). A document type
 * is refused: libvirt writes none, and without one there are no entities. */
int xml_parse(const char *text, xmlDoc **ret, char **ret_error);
/* Owned by the caller; ends with a newline. */
char *xml_format(const xmlDoc *doc);

bool xml_is(const xmlNode *n, const char *name);
/* The first child of that name and the next sibling of it, or NULL. parent may be NULL. */
xmlNode *xml_child(const xmlNode *parent, const char *name);
xmlNode *xml_next(const xmlNode *n, const char *name);

#define XML_FOR_EACH(n, parent, name)                                                              \
        for (xmlNode *n = xml_child(parent, name), *next_ = n ? xml_next(n, name) : NULL; n;       \
             n = next_, next_ = n ? xml_next(n, name) : NULL)

/* Owned by the caller; NULL if n is, or has no such attribute. */
char *xml_get(const xmlNode *n, const char *attribute);
bool xml_has(const xmlNode *n, const char *attribute, const char *value);
/* The text in it, owned by the caller; NULL if n is. */
char *xml_text(const xmlNode *n);
/* Whether it was another. value: NULL takes the attribute away. */
bool xml_set(xmlNode *n, const char *attribute, const char *value);
bool xml_set_text(xmlNode *n, const char *text);

/* A new element behind the others, on a line of its own. */
xmlNode *xml_add(xmlNode *parent, const char *name);
/* The same behind its like, or where the order (names, ends with NULL) has it. */
xmlNode *xml_add_in_order(xmlNode *parent, const char *name, const char *const *order);
/* With the line that it was on. */
void xml_remove(xmlNode *n);
