#!/bin/sh
# Usage: device.sh OUT PROGRAM [ARGUMENT...]
# Runs a benchmark on the device this is on (a phone by adb, Termux, any Linux), once on each kind of core, as
# OUT.<kind>.json. Kinds are told by the highest frequency of cores: little, middle, big. Waits while the device is hot,
# says what frequency and temperature were before and after, and what energy a run took, where the battery tells.
# Plain sh, as phones have no other. SYSFS, HOT and COOL_SECONDS may be set: the root of /sys, the temperature in C from
# which to wait, and for how long at most.
set -u
SYSFS=${SYSFS:-/sys}
HOT=${HOT:-42}
COOL_SECONDS=${COOL_SECONDS:-300}
if [ $# -lt 2 ]; then
  sed -n 's/^# Usage: /usage: /p' "$0" >&2
  exit 2
fi
out=$1
shift

read_file() { cat "$1" 2>/dev/null || true; }

# The battery's temperature in C, for it is what the device protects; else the hottest zone's; else nothing.
temperature() {
  t=$(read_file "$SYSFS/class/power_supply/battery/temp")
  if [ -n "$t" ]; then
    echo $((t / 10))
    return
  fi
  most=
  for zone in "$SYSFS"/class/thermal/thermal_zone*/temp; do
    t=$(read_file "$zone")
    case $t in '' | *[!0-9]*) continue ;; esac
    t=$((t / 1000))
    if [ -z "$most" ] || [ "$t" -gt "$most" ]; then most=$t; fi
  done
  echo "$most"
}

wait_while_hot() {
  waited=0
  while t=$(temperature) && [ -n "$t" ] && [ "$t" -ge "$HOT" ] && [ "$waited" -lt "$COOL_SECONDS" ]; do
    [ "$waited" -gt 0 ] || echo "device.sh: $t C, waiting until it is below $HOT" >&2
    sleep 5
    waited=$((waited + 5))
  done
}

# Charge of the battery in microampere-hours and its voltage in microvolts, if it is not being charged.
charge() {
  battery=$SYSFS/class/power_supply/battery
  case $(read_file "$battery/status") in Discharging) read_file "$battery/charge_counter" ;; esac
}
voltage() { read_file "$SYSFS/class/power_supply/battery/voltage_now"; }

# "FREQUENCY CORE" a line, of cores that are online.
frequencies() {
  for cpu in "$SYSFS"/devices/system/cpu/cpu[0-9]*; do
    [ "$(read_file "$cpu/online")" != 0 ] || continue
    f=$(read_file "$cpu/cpufreq/cpuinfo_max_freq")
    echo "${f:-0} ${cpu##*cpu}"
  done | sort -n
}

kinds=$(frequencies | cut -d' ' -f1 | uniq)
count=$(echo "$kinds" | wc -l)
index=0
status=0
for frequency in $kinds; do
  index=$((index + 1))
  kind=big
  if [ "$count" -gt 1 ] && [ "$index" -eq 1 ]; then kind=little; fi
  if [ "$index" -gt 1 ] && [ "$index" -lt "$count" ]; then kind=middle; fi
  if [ "$kind" = middle ] && [ "$count" -gt 3 ]; then kind=middle$((index - 1)); fi
  core=$(frequencies | sed -n "s/^$frequency //p" | tail -n 1)
  # A mask of one core, which both toybox's and util-linux's taskset take.
  mask=$(printf %x $((1 << core)))
  wait_while_hot
  before=$(temperature)
  charged=$(charge)
  echo "== $kind core $core, $((frequency / 1000)) MHz at most, ${before:-?} C" >&2
  pin="taskset $mask"
  $pin true 2>/dev/null || pin=
  $pin "$@" --benchmark_out="$out.$kind.json" --benchmark_out_format=json \
    --benchmark_context=cores="$kind" --benchmark_context=core="$core" \
    --benchmark_context=max_khz="$frequency" --benchmark_context=pinned="$([ -n "$pin" ] && echo yes || echo no)" \
    --benchmark_context=temperature_c="${before:-n/a}" || status=$?
  left=$(charge)
  energy=n/a
  if [ -n "$charged" ] && [ -n "$left" ] && [ -n "$(voltage)" ]; then
    # Millicoulombs times hundredths of a volt: shells of phones have 32 bits.
    energy="$(((charged - left) * 36 / 10 * ($(voltage) / 10000) / 100000)) J"
  fi
  now=$(read_file "$SYSFS/devices/system/cpu/cpu$core/cpufreq/scaling_cur_freq")
  echo "== $kind: $(temperature) C, ${now:-?} kHz afterwards, energy of the whole run $energy" >&2
  echo "$kind core=$core before_c=${before:-n/a} after_c=$(temperature) khz=${now:-n/a} energy=$energy" >>"$out.log"
done
exit $status
