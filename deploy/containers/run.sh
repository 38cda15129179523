#!/usr/bin/env bash
# Builds the images and uses the product in containers, on an engine of its own.
#
#   run.sh all      everything; `make test-containers`
#   run.sh changed  what CI runs: the CPU deployment, and only where something that containers are made of has changed
#                   since it last passed on this machine; within 40 minutes, cleaning up included
#
# STATE names a folder that keeps images and caches for the next run; without it, everything is removed at the end.
# Where no engine can run, it says so and ends with 0: that is the machine's matter. A test that fails ends it with 1.
set -uo pipefail
MODE=${1:?all or changed}
cd "$(dirname "$0")/../.."
ENGINE=deploy/containers/engine.sh
KEEP=${STATE:+yes}
STATE=${STATE:-$(mktemp --directory /var/tmp/containers.XXXXXX)}
PASSED=${XDG_CACHE_HOME:-$HOME/.cache}/semantic-image-matcher/containers-passed

not_run() {
    echo "==============================================================" >&2
    echo "CONTAINERS NOT TESTED: $1" >&2
    echo "==============================================================" >&2
    [ -n "$KEEP" ] || rmdir "$STATE" 2>/dev/null
    exit 0
}

# All that an image or a deployment is made of but the code itself, which the other tests run.
fingerprint() {
    cat Dockerfile.* gateway/Dockerfile docker-compose*.yml .dockerignore .env.example constraints*.txt pyproject.toml \
        serving/probe.py serving/settings.py services/*/settings.py gateway/settings.py $(find deploy -type f ! -name '*.pyc' | sort) | sha256sum
}

finish() {
    if [ -n "$KEEP" ]; then timeout 120 $ENGINE down "$STATE"; else timeout 600 $ENGINE purge "$STATE"; fi >/dev/null 2>&1
}

print=$(fingerprint)
if [ "$MODE" = changed ] && [ "$(cat "$PASSED" 2>/dev/null)" = "$print" ]; then
    rmdir "$STATE" 2>/dev/null
    echo "containers: nothing that they are made of has changed since they were last tested here"
    exit 0
fi
why=$(timeout 60 $ENGINE why-not "$STATE" 2>&1)
[ -z "$why" ] || not_run "$why"
trap finish EXIT
timeout --kill-after=10 360 $ENGINE up "$STATE" </dev/null || not_run "the engine did not start within 6 minutes; see above"
eval "$($ENGINE env "$STATE")"
export CONTAINERS=$STATE
if [ "$MODE" = all ]; then
    .venv/bin/python -m pytest -q -p no:cacheprovider deploy/containers
    exit $?
fi

# A package index that is slow or away is no fault of the project's; anything else that fails a build is.
base=$(sed -n 's/^ARG PYTHON_IMAGE=//p' Dockerfile.cpu)
timeout --kill-after=10 120 docker run --rm --network host --env PIP_INDEX_URL "$base" \
    sh -c 'python -m venv /tmp/v && /tmp/v/bin/pip download --quiet --disable-pip-version-check --no-deps --dest /tmp pip' ||
    not_run "a container cannot fetch packages here; see above"
log=$(mktemp)
timeout --kill-after=10 660 .venv/bin/python -m pytest -q -p no:cacheprovider deploy/containers -k test_the_images_are_built >"$log" 2>&1
case $? in
    0) ;;
    124 | 137) not_run "the images were not built within 11 minutes" ;;
    *) cat "$log" >&2
       if grep -qE 'ConnectionError|ReadTimeout|TimeoutExpired|Temporary failure in name resolution|Could not fetch URL|HTTP error 5' "$log"; then
           not_run "the packages could not be fetched"; fi
       exit 1 ;;
esac
CONTAINERS_BUILT=1 timeout --kill-after=10 480 .venv/bin/python -m pytest -q -p no:cacheprovider deploy/containers -m smoke
status=$?
[ $status != 124 ] && [ $status != 137 ] || not_run "the smoke tests did not end within 8 minutes"
[ $status = 0 ] && mkdir -p "$(dirname "$PASSED")" && echo "$print" >"$PASSED"
exit $status
