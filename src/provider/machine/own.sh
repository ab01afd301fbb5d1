# What on a host belongs to the cluster, recognised by what it is and not by where it is: the clean-up removes it, and a stock
# shows whether it is there. $subnet is the pod subnet, $peers are the addresses of the cluster's nodes; without them every
# gateway into the pod subnet counts as a node. (Our routes have origin 104, see routes.sh.) Files and folders are in places.rs.
# Functions only; nothing is changed here.

# Routes to pods, to other nodes' pods, and the refusals for addresses without a pod.
own_routes() {
  ip -4 route show root "$subnet" 2>/dev/null | sed 's/ *$//' | while read -r route; do
    case $route in
      unreachable* | *' dev veth'*) echo "$route" ;;
      *' proto 104'*) echo "$route" ;;
      *' via '*)
        way=${route#* via }
        case " ${peers:-${way%% *}} " in *" ${way%% *} "*) echo "$route" ;; esac ;;
    esac
  done
}

# The host ends of pods' interfaces: the plugin `ptp` generates their names of eight digits, and gives them no master.
own_links() {
  ip -o link show type veth 2>/dev/null | grep -v ' master ' | sed -nE 's/^[0-9]+: (veth[0-9a-f]{8})@.*/\1/p'
}

# Network namespaces of pods: they have an address in the pod subnet, or none yet. Those of others (podman) have another one.
own_netns() {
  ip netns list 2>/dev/null | awk '/^cni-/ {print $1}' | while read -r name; do
    any=$(ip -n "$name" -4 -o address show scope global 2>/dev/null)
    [ -n "$any" ] && [ -z "$(ip -n "$name" -4 -o address show to "$subnet" 2>/dev/null)" ] || echo "$name"
  done
}

# Mounts made by the kubelet and the container runtime, in the kernel's spelling: blanks as \040. Where / is not shared, the
# kubelet mounts its folder onto itself (k8s.io/mount-utils MakeRShared); another file system there belongs to the host's owner.
own_mounts() {
  awk '{print $5}' /proc/self/mountinfo |
    grep -E '^/(var/lib/kubelet/(pods|plugins)/|var/lib/containerd/(io\.containerd\.|tmpmounts/)|run/containerd/io\.containerd\.)'
  [ "$(stat -c %d /var/lib/kubelet 2>/dev/null)" != "$(stat -c %d /var/lib)" ] ||
    awk '$5 == "/var/lib/kubelet" {print $5}' /proc/self/mountinfo
}

# Chains and rules of $1 (iptables or ip6tables), table $2: Kubernetes' chains, Hearth's rules, and those of the plugin
# `portmap` for our network. Its common chains are ours as long as no other network has a chain of its own; $had_portmap: they
# were there before.
own_rules() {
  "$1-save" -t "$2" 2>/dev/null | awk -v had="$had_portmap" '
    /^:/ { chain[substr($1, 2)] = 1; next }
    /^-A/ { rule[++rules] = $0; if ($0 ~ /name: \\"hearth\\"/ && match($0, /-j CNI-DN-[0-9a-zA-Z]+/)) own[substr($0, RSTART + 3, RLENGTH - 3)] = 1 }
    END {
      for (name in chain) if (name ~ /^KUBE-/) own[name] = 1
      for (name in chain) if (name ~ /^CNI-DN-/ && !(name in own)) others = 1
      for (name in chain) if (name ~ /^CNI-HOSTPORT-/ && !others && !had) own[name] = 1
      for (name in own) if (name in chain) print ":" name
      for (at = 1; at <= rules; at++) {
        split(rule[at], word, " ")
        target = match(rule[at], /-j [^ ]+/) ? substr(rule[at], RSTART + 3, RLENGTH - 3) : ""
        if ((word[2] in own) || (target in own) || rule[at] ~ /--comment "?hearth"?( |$)/ || rule[at] ~ /name: \\"hearth\\"/) print rule[at]
      }
    }'
}

# Tables that were made for iptables' rules and contain none any more.
own_nft_tables() {
  nft list tables 2>/dev/null | while read -r _ family name; do
    case $name in
      kube-proxy) echo "$family $name" ;;
      nat | filter | mangle)
        # a table that cannot be listed now does not count as empty
        rules=$(nft list table "$family" "$name" 2>/dev/null) && [ -n "$rules" ] || continue
        printf '%s\n' "$rules" | grep -qvE '^(table|	chain|		type|	}|}|# )|^$' || echo "$family $name" ;;
    esac
  done
}

# Programs of ours that are running.
own_processes() {
  ls -l /proc/[0-9]*/exe 2>/dev/null | sed 's/.* -> //; s/ (deleted)$//' | while read -r program; do
    case " $PROGRAMS " in *" $program "*) echo "$program" ;; esac
  done | sort -u
}

# The non-empty ones among the folders that the cluster fills.
filled() {
  for path in $DATA; do
    [ -z "$(ls -A "$path" 2>/dev/null | grep -vx 'lost+found')" ] || echo "$path"
  done
}
