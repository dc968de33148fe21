/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Lists for people, used by more than one verb. Each row says what it must and
 * colours what needs attention. */

#include "client/state.h"

void show_targets(const struct state *state);
/* Flat, or with a heading for each physical device. */
void show_devices(const struct state *state, bool grouped);
void show_guests(const struct state *state);
/* One guest with all that is known of it. */
void show_guest(const struct guest *g);
