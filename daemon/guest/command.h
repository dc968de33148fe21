/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A program that is run to its end. No shell, and nothing of our environment,
 * descriptors or signals. */

#include <stdint.h>

#define COMMAND_OUTPUT_MAX 1023

/* arguments[0] is an absolute path. The exit status, 128 and more if a signal
 * ended it; or negative: -ETIMEDOUT, and it was killed. output, which gets what it
 * said on both outputs (the beginning of that), may be anything but NUL. */
int command_run(const char *const arguments[], uint64_t timeout_usec, char output[COMMAND_OUTPUT_MAX + 1]);
