#!/bin/bash
# reaper.sh FOLDER NAMESPACE...   cleans up after one scenario when its standard input closes: the test closes it in the end,
# the kernel does when the test process dies in whatever way. Ends only processes that carry the scenario's mark in their
# environment or live in its namespaces; removes these and the folder.
trap '' INT TERM HUP
cat > /dev/null
folder=$1; shift
marked() {
  grep -lazx "CULVERT_SCENARIO=$folder" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
  for namespace; do ip netns pids "$namespace" 2>/dev/null; done
}
for signal in TERM TERM KILL KILL KILL; do
  pids=$(marked "$@"); [ -z "$pids" ] && break
  kill -$signal $pids 2>/dev/null
  for i in 1 2 3 4 5; do [ -z "$(marked "$@")" ] && break; sleep .1; done
done
for namespace; do ip netns del "$namespace" 2>/dev/null; done
rm -rf "$folder"
