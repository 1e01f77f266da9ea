#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ldns 1.8.3 (Debian 12: 1.8.3-1+b1), ldns-read-zone.
#
# RFC 8659 section 4.1.1 writes the value of a CAA record as a <character-string>, which RFC 1035 section 5.1 allows
# without quotation marks when it has no blanks. ldns accepts the value only in quotation marks. Otherwise it refuses
# the whole zone, with a message that does not say why. It accepts other types with the same field (TXT, HINFO) either
# way.
#
#   input:   CAA 0 issue ca.example
#   output:  Syntax error, could not parse the RR's rdata at line 4
#
# Veer accepts both forms, and so does BIND, with which tests/functional/test_text_differential.py compares Veer.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -q download ldnsutils=1.8.3-1+b1 libldns3=1.8.3-1+b1 >/dev/null 2>&1
for package in *.deb; do dpkg -x "$package" root; done
read_zone() {
	printf 'example. 60 IN SOA ns.example. host.example. 1 2 3 4 5\nexample. 60 IN NS ns.example.\nexample. 60 IN HINFO PC Linux\n%s\n' "$1" > zone
	LD_LIBRARY_PATH=$(echo root/usr/lib/*) root/usr/bin/ldns-read-zone zone 2>&1
}
read_zone 'example. 60 IN CAA 0 issue "ca.example"' | grep 'CAA.0 issue "ca.example"'
if said=$(read_zone 'example. 60 IN CAA 0 issue ca.example'); then
	echo "it is taken now: $said"
	exit 1
fi
echo "$said"
[[ $said == *"could not parse the RR's rdata at line 4"* ]]
