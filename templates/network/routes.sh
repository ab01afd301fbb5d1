#!/bin/sh
# Written by Hearth: keeps the pod network's routes and address translation in place. Others take them away: a firewall that is
# reloaded, systemd-networkd when it restarts, a network card that goes down; and nodes that are containers come back with
# other addresses.
#   routes.sh verify   prints what is missing, a line each
#   routes.sh apply    brings that into place, and prints what it was
#   routes.sh keep     does so for ever
#
# The file beside it has the node's share, a fact a line:
#   subnet 10.244.0.0/16         addresses of all pods
#   api 10.96.0.1 HOST           the service `kubernetes`, and where its API server is
#   node HOST 10.244.1.0/24      another node, and the addresses of its pods
# A HOST is an address, or a name that is looked up each time.
conf=${0%/*}/routes.conf
# pause between two looks when nothing is missing, in seconds
steady=10
names=/run/hearth-names
# what routes of ours bear as their origin (ip-route(8), `proto`): others' in the pod subnet are not ours to take away
origin=104

address() {
  case $1 in
  *[!0-9.]*) timeout 2 getent ahostsv4 "$1" | { read -r first rest && echo "$first"; } ;;
  *) echo "$1" ;;
  esac
}

# $1 is what is missing, the rest the command that brings it.
missing() {
  echo "$1"
  shift
  [ "$mode" = verify ] || "$@" 2>&1
}

# True when a line of the table begins so.
routed() {
  case $routes in *"
$1 "*) ;; *) false ;; esac
}
# The same of routes of ours.
led() {
  case $ours in *"
$1 "*) ;; *) false ;; esac
}

rule() { iptables -w -t nat -C "$@" 2>/dev/null; }

# An API server that has moved leaves a rule behind that comes before the new one.
replace_rule() {
  iptables -w -t nat -S "$1" | grep -e '--comment "\{0,1\}hearth' | sed 's/^-A/-D/' |
    while read -r old; do iptables -w -t nat $old; done
  iptables -w -t nat -A "$@"
}

# Where a container engine answers names, it does so by rules that it wrote when the container started, and writes no second
# time: they are remembered.
without_names() {
  case $(iptables -w -t nat -S DOCKER_OUTPUT 2>/dev/null) in
  *-A*) [ -s $names ] || iptables-save -t nat | grep -E '^([*]nat|:DOCKER_|-A .*DOCKER_|COMMIT)' >$names ;;
  *) [ -s $names ] && return ;;
  esac
  false
}
remember_names() { iptables-restore -w --noflush <$names; }

# kube-proxy writes all of its rules anew when it misses the chains that it left as a sign. It looks every 30 s.
call_kube_proxy() {
  for table in mangle nat filter; do iptables -w -t $table -X KUBE-PROXY-CANARY; done 2>/dev/null
}

# kube-proxy has its chains, but they are empty or nothing leads into them: whoever flushed the table left them behind.
without_services() {
  services=$(iptables -w -t nat -S KUBE-SERVICES 2>/dev/null) || return
  case $services in *-A*) rule PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES &&
    rule OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES && return 1 ;; esac
  true
}

look() {
  mode=$1 known=
  routes="
$(ip -4 route show root "$subnet" | sed 's/$/ /')
"
  ours="
$(ip -4 route show root "$subnet" proto $origin | sed 's/$/ /')
"
  # what no pod has is refused at once, and never leaves by the default route
  routed "unreachable $subnet" || missing "route unreachable $subnet" ip route replace unreachable "$subnet"
  ! without_names || missing "rules of the engine's name server" remember_names
  while read -r kind one two; do
    case $kind in
    node)
      known="$known $two"
      # while a name is not known, the address it had last is the best there is
      at=$(address "$one") || { missing "address of $one" true && continue; }
      led "$two via $at" || missing "route $two via $at" ip route replace "$two" via "$at" proto $origin
      ;;
    api)
      at=$(address "$two") || { missing "address of $two" true && continue; }
      # until kube-proxy has written its rules, which come before these, pods would ask whoever has the service's address
      # outside, fail, and come back only after their back-off
      for chain in PREROUTING OUTPUT; do
        set -- $chain -d "$one" -p tcp -m tcp --dport 443 -m comment --comment hearth -j DNAT --to-destination "$at:6443"
        rule "$@" || missing "nat $*" replace_rule "$@"
      done
      ;;
    esac
  done <"$conf"
  # nodes that have left the cluster
  for old in $(echo "$ours" | awk '/ via / {print $1}'); do
    case "$known " in *" $old "*) ;; *) missing "route $old leads to no node" ip route del "$old" proto $origin ;; esac
  done
  set -- POSTROUTING -s "$subnet" ! -d "$subnet" -m addrtype ! --dst-type LOCAL -m comment --comment hearth -j MASQUERADE
  rule "$@" || missing "nat $*" iptables -w -t nat -A "$@"
  ! without_services || missing "the rules of kube-proxy" call_kube_proxy
}

subnet=$(awk '$1 == "subnet" {print $2}' "$conf") && [ -n "$subnet" ] || exit 2
case $1 in
verify | apply) look "$1" ;;
keep)
  pause=1 before=
  while :; do
    found=$(look apply)
    if [ -z "$found" ]; then
      pause=$steady
    else
      # what cannot be mended yet is tried again, at growing intervals, and told once
      [ "$found" = "$before" ] && pause=$((pause < steady ? pause + 1 : steady)) || { pause=1 && echo "$found"; }
    fi
    before=$found
    sleep $pause
  done
  ;;
esac
