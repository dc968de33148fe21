/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Proves that the new content of a file is well-formed, before it replaces the
 * old: a broken grub or modprobe file is found by nobody until the next boot. */

#include "client/setup/plan.h"

/* -EINVAL with what is wrong in *ret_error (owned by the caller). A validator
 * that is not installed proves nothing, which is no error. */
int validate(const struct root *r, const struct plan_file *f, char **ret_error);
