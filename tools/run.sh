#!/bin/sh
# Runs hello, and frontdesk, which calls it, until Ctrl-C. Both get that from the terminal and end in good order. Where one
# of them ends by itself, or this script is asked to, the others end too.
set -u
bin=$1

"$bin/hello" &
hello=$!
CHASSIS_GRPC_ADDR=localhost:9001 CHASSIS_HTTP_ADDR=localhost:8090 CHASSIS_ADMIN_ADDR=localhost:8091 \
	CHASSIS_HELLO_TARGET=dns:///localhost:9000 "$bin/frontdesk" &
frontdesk=$!

interrupted=
trap 'interrupted=1' INT
trap 'kill "$hello" "$frontdesk" 2>/dev/null; interrupted=1' TERM HUP
while [ -z "$interrupted" ] && kill -0 "$hello" 2>/dev/null && kill -0 "$frontdesk" 2>/dev/null; do
	sleep 1
done
# A second signal would cut the end of those that stop already.
[ -n "$interrupted" ] || kill "$hello" "$frontdesk" 2>/dev/null
wait "$hello"
status=$?
wait "$frontdesk" || status=$?
exit "$status"
