/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/setup/step.h"

/* Part of the step libvirt, for choices.legacy_input: as a step does. */
int step_libvirt_legacy(const struct setup *s, struct plan *p, char **ret_error);
