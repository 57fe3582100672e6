# shellcheck shell=bash
# Sourced by the hooks, which set root: exec_bundle runs the bundle in place of the hook.
: "${root:?}"

# What changes how Node itself runs is meant for the job's own programs: tracers, coverage, flags of another Node. The bundle uses
# HTTPS_PROXY by itself; with NODE_USE_ENV_PROXY Node would start slower, and not at all where the address is malformed.
# The Dockerfile has the same list. https://nodejs.org/api/cli.html#environment-variables-1
FOREIGN_VARIABLES=(
  NODE_CHANNEL_FD NODE_CHANNEL_SERIALIZATION_MODE NODE_COMPILE_CACHE NODE_COMPILE_CACHE_PORTABLE NODE_DEBUG
  NODE_DEBUG_NATIVE NODE_ICU_DATA NODE_INSPECT_RESUME_ON_START NODE_OPTIONS NODE_PATH NODE_PENDING_DEPRECATION
  NODE_PRESERVE_SYMLINKS NODE_PRESERVE_SYMLINKS_MAIN NODE_REDIRECT_WARNINGS NODE_REPL_EXTERNAL_MODULE NODE_REPL_HISTORY
  NODE_TEST_CONTEXT NODE_UNIQUE_ID NODE_USE_ENV_PROXY NODE_V8_COVERAGE GOOGLE_SDK_NODE_LOGGING
)

# Exit codes of the container that the bundle never has.
BUNDLE_NOT_SEEN=78
AGENT_CANNOT_RUN=79

exec_bundle() {
  local phase="$1" bundle="$root/buildkite-plugin/dist/main.mjs" proxied='' needed node version chosen='' found=''
  unset "${FOREIGN_VARIABLES[@]}"
  needed='Node 22.12 or newer'
  if [ -n "${HTTPS_PROXY:-${https_proxy:-}}" ]; then
    proxied=1
    needed='Node that can use HTTPS_PROXY (22.21 or a newer 22, or 24.5 or newer)'
  fi

  while IFS= read -r node; do
    version="$([ -n "$node" ] && "$node" --version 2>/dev/null)" || continue
    if is_fit "$version" "$proxied"; then
      chosen="$node"
      break
    fi
    found="$found${found:+, }$version ($node)"
  done < <(candidates)
  # Not with --disable-sigusr1: Node then blocks the signal, and a step cannot be cancelled with it.
  [ -z "$chosen" ] || exec "$chosen" "$bundle" "$phase"

  command -v docker >/dev/null 2>&1 ||
    give_up "$phase" "keyless-submit needs $needed on this agent" "Found: ${found:-no node on PATH}, and no docker to run it in a container." \
      "Install it, or set KEYLESS_SUBMIT_NODE in the agent's environment to the path of such a Node."
  run_in_container "$phase" "$needed" "${found:-no node on PATH}"
}

candidates() {
  printf '%s\n' "${KEYLESS_SUBMIT_NODE:-}"
  type -aP node || true
  printf '%s\n' /usr/local/bin/node /opt/homebrew/bin/node
}

is_fit() { # VERSION PROXIED
  # Agents use a proxy since 24.5, and in 22 since 22.21.
  if [ -z "$2" ]; then
    at_least "$1" 22 12
  else
    at_least "$1" 24 5 || { [[ "$1" == v22.* ]] && at_least "$1" 22 21; }
  fi
}

at_least() { # VERSION MAJOR MINOR
  [[ "$1" =~ ^v([0-9]+)\.([0-9]+)\. ]] || return 1
  ((BASH_REMATCH[1] > $2 || (BASH_REMATCH[1] == $2 && BASH_REMATCH[2] >= $3)))
}

give_up() { # PHASE WHAT-HAPPENED MORE...
  printf '+++ :x: %s\n' "$2"
  printf '  %s\n' "${@:3}"
  [ "$1" != cancel ] || echo "  The job that this step submitted may still be running."
  exit 2
}

run_in_container() { # PHASE NEEDED FOUND
  local phase="$1" no_node="No $2 on this agent (found: $3)" image="${KEYLESS_SUBMIT_IMAGE:-}" place name status=0
  case "$(uname -s 2>/dev/null || echo "${OSTYPE:-}")" in
    Linux | linux*) ;;
    *)
      give_up "$phase" "$no_node" "A container does not help here: it runs Linux, and this machine's buildkite-agent cannot run in it." \
        "Install Node, or set KEYLESS_SUBMIT_NODE in the agent's environment to the path of such a Node."
      ;;
  esac
  if [ -z "$image" ] && [ -f "$root/hooks/released-image" ]; then
    image="$(<"$root/hooks/released-image")"
  fi
  [ -n "$image" ] ||
    give_up "$phase" "$no_node, and this version of the plugin names no image to run instead" \
      "Only an image whose digest was recorded by a release is run by itself." \
      "Install Node, or set KEYLESS_SUBMIT_IMAGE in the agent's environment to the image to use, best with its digest (NAME@sha256:...)."

  local arguments=(--rm --init --network host --user "$(id -u):$(id -g)" --workdir "$PWD" --entrypoint node) mounted=''
  # The job is remembered below /tmp.
  for place in "$PWD" "${BUILDKITE_BUILD_CHECKOUT_PATH:-}" /tmp "${BUILDKITE_AGENT_JOB_API_SOCKET:-}"; do
    add_volume "$place" ''
  done
  for place in "$root" "${NODE_EXTRA_CA_CERTS:-}" "${SSL_CERT_FILE:-}" "${SSL_CERT_DIR:-}"; do
    add_volume "$place" :ro
  done
  place="$(command -v buildkite-agent || true)"
  [ -z "$place" ] || arguments+=(--volume "$place:/usr/local/bin/buildkite-agent:ro")
  # Names only: docker takes the values from its environment, so that none is on a command line. A spec may name any of them.
  while IFS='=' read -r -d '' name _; do
    case "$name" in
      PATH | HOME | USER | PWD | OLDPWD | SHLVL | _ | BASH_FUNC_*) ;;
      *) arguments+=(--env "$name") ;;
    esac
  done < <(env -0)

  echo "~~~ :docker: $no_node: running $image"
  docker image inspect "$image" >/dev/null 2>&1 || docker pull --quiet "$image" ||
    give_up "$phase" "$no_node, and docker cannot get $image" \
      "Install Node, or set KEYLESS_SUBMIT_IMAGE in the agent's environment to an image that can be pulled."
  # The container ends when it has cancelled its job; docker passes the signals on to it.
  trap : HUP INT QUIT TERM USR1 USR2
  docker run "${arguments[@]}" "$image" --import "$(probe)" "$root/buildkite-plugin/dist/main.mjs" "$phase" ||
    status=$?
  case "$status" in
    "$BUNDLE_NOT_SEEN")
      give_up "$phase" "The docker daemon does not see this agent's files: $root is not in the container" \
        "That is so when the agent runs in a container itself, or DOCKER_HOST is another machine. $no_node." \
        "Install Node where the agent runs, or mount the agent's directories under the same paths where the daemon runs."
      ;;
    "$AGENT_CANNOT_RUN")
      give_up "$phase" "buildkite-agent cannot run in the container of $image" \
        "Looked for: ${place:-none on PATH}. It must be a program for Linux and the container's processor. $no_node." \
        "Install Node where the agent runs."
      ;;
    # docker's own exit codes, some of which the agent would take for its own failure.
    125 | 126 | 127 | 255)
      give_up "$phase" "docker could not run $image (it ended with $status, and its message is above)" \
        "$no_node." "Install Node, or make sure that docker works for the agent's user."
      ;;
  esac
  exit "$status"
}

# Adds a place to arguments, under its own name.
add_volume() { # PATH OPTIONS
  local path="$1"
  [ -n "$path" ] || return 0
  [[ "$path" == /* ]] || path="$PWD/$path"
  # The daemon would create a missing path as root, and refuses one that is mounted twice.
  [ -e "$path" ] && [ "$path" != / ] && [[ "$mounted" != *$'\n'"$path"$'\n'* ]] || return 0
  mounted+=$'\n'"$path"$'\n'
  arguments+=(--volume "$path:$path$2")
}

# Run in the container before the bundle. Otherwise Node would exit with 1 for a missing bundle, as for a failed job.
probe() {
  local check='import{existsSync}from"node:fs";import{spawnSync}from"node:child_process";'
  check+="if(!existsSync(process.argv[1]))process.exit($BUNDLE_NOT_SEEN);"
  check+="if(spawnSync(\"buildkite-agent\",[\"--version\"]).error)process.exit($AGENT_CANNOT_RUN)"
  printf 'data:text/javascript,%s' "$check"
}
