# Sourced at the end of a guest's script. The host drops DIR/job.N.sh into the shared folder; the guest runs it and leaves
# job.N.out and, last, job.N.rc. So what happens, and when, is told by the test and not by the guest.
agent() {
  touch /share/ready
  local n=1
  until [ -e /share/stop ]; do
    if [ -e /share/job.$n.sh ]; then
      bash /share/job.$n.sh > /share/job.$n.out 2>&1
      echo $? > /share/job.$n.rc.new; mv /share/job.$n.rc.new /share/job.$n.rc
      n=$((n+1))
    else
      sleep .05
    fi
  done
}
