# shellcheck shell=bash
# Sourced by the hooks, which set root: exec_bundle runs the bundle in place of the hook.
: "${root:?}"

is_fit() {
  local version
  version="$("$1" --version 2>/dev/null)" || return 1
  [[ "$version" =~ ^v([0-9]+)\.([0-9]+)\. ]] || return 1
  ((BASH_REMATCH[1] > 22 || (BASH_REMATCH[1] == 22 && BASH_REMATCH[2] >= 12)))
}

exec_bundle() {
  local bundle="$root/buildkite-plugin/dist/main.mjs" node
  # The bundle uses HTTPS_PROXY by itself; with this Node would start slower, and not at all where the address is malformed.
  unset NODE_USE_ENV_PROXY
  # With these Node and a library print what they send, tokens and all.
  unset NODE_DEBUG NODE_DEBUG_NATIVE GOOGLE_SDK_NODE_LOGGING
  for node in "${KEYLESS_SUBMIT_NODE:-}" node /usr/local/bin/node /opt/homebrew/bin/node; do
    if [ -n "$node" ] && command -v "$node" >/dev/null 2>&1 && is_fit "$node"; then
      exec "$node" "$bundle" "$1"
    fi
  done
  if command -v docker >/dev/null 2>&1; then
    exec_in_container "$1"
  fi
  echo "+++ :x: keyless-submit needs Node 22.12 or newer on this agent"
  echo "  Found: $(command -v node >/dev/null 2>&1 && node --version || echo 'no node on PATH'), and no docker to run it in a container."
  echo "  Install Node, or set KEYLESS_SUBMIT_NODE in the agent's environment to the path of a fit one."
  exit 2
}

exec_in_container() {
  local image checkout="${BUILDKITE_BUILD_CHECKOUT_PATH:-$PWD}" temporary="${TMPDIR:-/tmp}" agent name
  image="${KEYLESS_SUBMIT_IMAGE:-$(sed -n 's/^image: //p' "$root/pipe.yml")}"
  local arguments=(--rm --init --network host --user "$(id -u):$(id -g)" --workdir "$checkout" --entrypoint node)
  arguments+=(--volume "$checkout:$checkout" --volume "$root:$root:ro" --volume "$temporary:$temporary")
  agent="$(command -v buildkite-agent || true)"
  [ -z "$agent" ] || arguments+=(--volume "$agent:/usr/local/bin/buildkite-agent:ro")
  [ -z "${BUILDKITE_AGENT_JOB_API_SOCKET:-}" ] || arguments+=(--volume "$BUILDKITE_AGENT_JOB_API_SOCKET:$BUILDKITE_AGENT_JOB_API_SOCKET")
  # Node only warns where it cannot read it, and docker would make a folder of a path that is not there.
  [ ! -f "${NODE_EXTRA_CA_CERTS:-}" ] || arguments+=(--volume "$NODE_EXTRA_CA_CERTS:$NODE_EXTRA_CA_CERTS:ro")
  # Names only: docker takes the values from its environment, so that none is on a command line. A spec may name any of them.
  while IFS='=' read -r -d '' name _; do
    case "$name" in
      PATH | HOME | USER | PWD | OLDPWD | SHLVL | _ | BASH_FUNC_*) ;;
      *) arguments+=(--env "$name") ;;
    esac
  done < <(env -0)
  echo "~~~ :docker: No Node 22.12 or newer on this agent: running $image"
  # A docker that cannot run would end with 125, which the agent takes for a fault of its own.
  if ! docker image inspect "$image" >/dev/null 2>&1 && ! docker pull --quiet "$image"; then
    echo "+++ :x: keyless-submit needs Node 22.12 or newer on this agent, and docker cannot get $image"
    echo "  Install Node, or set KEYLESS_SUBMIT_IMAGE in the agent's environment to an image that can be had."
    exit 2
  fi
  exec docker run "${arguments[@]}" "$image" "$root/buildkite-plugin/dist/main.mjs" "$1"
}
