/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Names that more than one program must agree on. */

#define INPUTD_BUS_NAME "org.vfio.Inputd1"
#define INPUTD_ROOT_PATH "/org/vfio/Inputd1"
#define INPUTD_MANAGER_IFACE "org.vfio.Inputd1.Manager"
#define INPUTD_DEVICE_IFACE "org.vfio.Inputd1.Device"
#define INPUTD_TARGET_IFACE "org.vfio.Inputd1.Target"
#define INPUTD_DEVICE_PATH INPUTD_ROOT_PATH "/device"
#define INPUTD_TARGET_PATH INPUTD_ROOT_PATH "/target"

#define GUESTD_BUS_NAME "org.vfio.Guestd1"
#define GUESTD_ROOT_PATH "/org/vfio/Guestd1"
#define GUESTD_MANAGER_IFACE "org.vfio.Guestd1.Manager"
#define GUESTD_GUEST_IFACE "org.vfio.Guestd1.Guest"
#define GUESTD_GUEST_PATH GUESTD_ROOT_PATH "/guest"

/* Error names, common to both services. What each means: doc/dbus-api.rst. */
#define VFIO_ERROR_NO_SUCH_TARGET "org.vfio.Error.NoSuchTarget"
#define VFIO_ERROR_NO_SUCH_GUEST "org.vfio.Error.NoSuchGuest"
#define VFIO_ERROR_NO_SUCH_DOMAIN "org.vfio.Error.NoSuchDomain"
#define VFIO_ERROR_NO_SUCH_NODE "org.vfio.Error.NoSuchNode"
#define VFIO_ERROR_NO_SUCH_GRANT "org.vfio.Error.NoSuchGrant"
#define VFIO_ERROR_IN_USE "org.vfio.Error.InUse"
#define VFIO_ERROR_NOT_READY "org.vfio.Error.NotReady"
#define VFIO_ERROR_PAUSED "org.vfio.Error.Paused"
#define VFIO_ERROR_INVALID_CONFIG "org.vfio.Error.InvalidConfiguration"
#define VFIO_ERROR_BUSY "org.vfio.Error.Busy"
#define VFIO_ERROR_TIMED_OUT "org.vfio.Error.TimedOut"
#define VFIO_ERROR_FAILED "org.vfio.Error.Failed"

#define VFIO_CONFIG_FILE SYSCONFDIR "/vfio-inputd.conf"

/* Names of targets: [a-z0-9][a-z0-9._-]*, at most this many characters. libvirt
 * names with other characters are mapped by the guest daemon. */
#define TARGET_NAME_MAX 32
#define TARGET_HOST "host"

/* phys of our own uinput nodes. The udev rules and the device selection know
 * them by it. Host mirrors: …/host/N, guest nodes: …/guest/NAME/keyboard|pointer. */
#define VFIO_PHYS_PREFIX "vfio-inputd/"
#define VFIO_PHYS_HOST VFIO_PHYS_PREFIX "host/"
#define VFIO_PHYS_GUEST VFIO_PHYS_PREFIX "guest/"
