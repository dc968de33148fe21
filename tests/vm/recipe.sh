#!/bin/sh
# Turns a fresh Debian tree into the test machine. Runs outside, once per base
# layer, with the tree as its only argument; see image.py.
set -eu
root=$1

in_tree() { chroot "$root" "$@"; }

# Two ordinary people: the one at the desk, and the one who must not see her keys.
in_tree useradd --create-home --uid 1000 --shell /bin/bash desk
in_tree useradd --create-home --uid 1001 --shell /bin/bash other
for user in root desk other; do
	in_tree passwd --quiet --delete $user
done

echo vfio-host >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 vfio-host\n' >"$root/etc/hosts"
echo 'LABEL=vfio-host / ext4 rw 0 0' >"$root/etc/fstab"

# A known machine id: without one systemd takes every boot for the first.
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"

in_tree systemctl enable --quiet vm-agent.service vm-log.service vm-shell.service

# libvirt is started by its sockets, when the first test wants it.
in_tree systemctl disable --quiet libvirtd.service
rm -f "$root/etc/libvirt/qemu/networks/autostart/default.xml"

# libvirt compiles each domain's profile four times at its start, which takes as long
# as all the rest under emulation. What it allows is the same without this step.
echo Optimize=no-expr-simplify >>"$root/etc/apparmor/parser.conf"

# A getty on ttyS0 hangs up whoever else prints there; libvirt-guests waits five
# minutes at shutdown; the others only cost time.
in_tree systemctl mask --quiet serial-getty@ttyS0.service libvirt-guests.service \
	apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
	e2scrub_reap.service fstrim.timer systemd-hwdb-update.service
