/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* "vfioctl doctor": options, then the checks. argv[0] is "doctor". Returns its exit status. */
int doctor_main(int argc, char **argv);
