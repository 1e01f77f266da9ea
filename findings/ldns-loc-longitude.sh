#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ldns 1.8.3 (Debian 12: 1.8.3-1+b1), ldns-read-zone.
#
# In a LOC record both the latitude and the longitude may leave out their minutes and seconds, which are then 0 (RFC
# 1876 section 3). Where only the longitude leaves them out, ldns adds the latitude's minutes, and 1,000 times its
# seconds, to the longitude. The record then names a place several degrees away, and ldns reports no error.
#
#   input:   LOC 51 30 12.748 S 116 W 10m
#   output:  LOC 51 30 12.748 S 120 02 28.000 W 10m 1m 10000m 10m
#   right:   LOC 51 30 12.748 S 116 00 0.000 W ...
#
# Veer reads LOC with code of its own, which tests/functional/test_text_differential.py compares with BIND.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -q download ldnsutils=1.8.3-1+b1 libldns3=1.8.3-1+b1 >/dev/null 2>&1
for package in *.deb; do dpkg -x "$package" root; done
cat > zone <<'ZONE'
example. 60 IN SOA ns.example. host.example. 1 2 3 4 5
example. 60 IN NS ns.example.
with.example. 60 IN LOC 51 30 12.748 S 116 0 0 W 10m
without.example. 60 IN LOC 51 30 12.748 S 116 W 10m
ZONE
said=$(LD_LIBRARY_PATH=$(echo root/usr/lib/*) root/usr/bin/ldns-read-zone zone)
echo "$said" | grep LOC
echo "$said" | grep -q '^with.example.*LOC.51 30 12.748 S 116 00 0.000 W'
echo "$said" | grep -q '^without.example.*LOC.51 30 12.748 S 120 02 28.000 W'
