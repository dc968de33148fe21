/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What --json prints. Keys are part of the interface: doc/vfioctl.1.rst. */

#include <json-c/json.h>

#include "client/state.h"
#include "common/mem.h"

DEFINE_CLEANUP(json_object *, json_object_put);
#define json_putp json_object_putp

/* Add to object o; NULL is the empty string. Bytes that are no UTF-8 become U+FFFD. */
void json_add_string(json_object *o, const char *key, const char *value);
void json_add_strings(json_object *o, const char *key, char *const *values);
void json_add_bool(json_object *o, const char *key, bool value);
void json_add_layers(json_object *o, const char *key, const struct layer *layers);
/* An array, owned by the caller. NULL ends the strings, or is none. */
json_object *json_from_strings(const char *const *values);

/* One object as its kind has it; owned by the caller. */
json_object *json_from_object(const struct object *object);
/* All objects of a kind as an array; owned by the caller. */
json_object *json_from_state(const struct state *state, enum object_kind kind);

/* Prints to stdout with everything escaped that could act on a terminal. */
void json_print(json_object *o, bool pretty);
