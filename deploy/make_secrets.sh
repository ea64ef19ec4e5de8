#!/bin/sh
# Makes what is secret in this stack, each in a file of its own under secrets/. One that is there stays.
#
# The containers have users of their own, so the files can be read by all, and their folder by you alone.
set -eu
umask 022
cd "$(dirname "$0")"
mkdir -p -m 700 secrets
cd secrets

random() { od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n'; }
missing() { [ ! -e "$1" ]; }

for name in metrics_token grafana_password postgres_password; do
	if missing $name; then random >$name; fi
done
if missing master_key; then echo "sk-$(random)" >master_key; fi
if missing encryption_key; then head -c 32 /dev/urandom | base64 >encryption_key; fi
if missing storage_url; then
	echo "postgresql://switchgear:$(cat postgres_password)@postgres/switchgear" >storage_url
fi
if missing valkey.conf; then echo "requirepass $(random)" >valkey.conf; fi
if missing state_url; then echo "redis://:$(cut -d ' ' -f 2 valkey.conf)@valkey:6379/0" >state_url; fi
