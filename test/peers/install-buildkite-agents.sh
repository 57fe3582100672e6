#!/usr/bin/env bash
#
# Installs the real Buildkite agents that the peer tests run the plugin with: build/peers/bin/buildkite-agent-3 and
# build/peers/bin/buildkite-agent-4, each with a file of the same name and `.txt` that tells what it was made of.
# An agent that is there at its pinned version is left as it is. Needs Go and a Go module proxy; fails if no agent
# of version 3 can be had, and only says so if there is none of version 4, which is still in beta.

set -euo pipefail

readonly AGENT_3=v3.137.2
readonly AGENT_4=v4.0.0-beta.15

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
readonly here root
readonly bin=$root/build/peers/bin
readonly work=$root/build/peers/work

# The versions above are the only ones wanted: neither another toolchain nor a vendor folder may take part.
export GOTOOLCHAIN=local GOFLAGS=-mod=mod GOWORK=off

main() {
  command -v go >/dev/null || fail "Go is needed to build the Buildkite agent: https://go.dev/doc/install"
  mkdir -p "$bin" "$work"
  install_agent 3 "$AGENT_3" || fail "no Buildkite agent 3 could be installed; see $work/3.log"
  install_agent 4 "$AGENT_4" || say "Buildkite agent 4 ($AGENT_4) is not to be had here; see $work/4.log"
}

install_agent() { # MAJOR VERSION
  local major=$1 version=$2
  local target=$bin/buildkite-agent-$major
  if [[ -x $target && $(cat "$target.txt" 2>/dev/null) == "$version"* ]]; then
    say "$target: $(cat "$target.txt")"
    return
  fi
  rm -f "$target" "$target.txt"
  if as_published "$major" "$version" "$target" 2>"$work/$major.log"; then
    echo "$version as published" >"$target.txt"
  elif [[ $major == 3 ]] && without_globs "$major" "$version" "$target" 2>>"$work/$major.log"; then
    echo "$version without its glob library" >"$target.txt"
  else
    return 1
  fi
  say "$target: $(cat "$target.txt")"
}

# The published command is named `agent`, after its module.
as_published() { # MAJOR VERSION TARGET
  GOBIN=$work go install "github.com/buildkite/agent/v$1@$2" && mv "$work/agent" "$3"
}

# Not every module proxy serves the agent's glob library. Artifacts, `if_changed` and cache keys need it; running a
# job with plugins does not.
without_globs() { # MAJOR VERSION TARGET
  local module=$work/without-globs-$1
  mkdir -p "$module"
  cat >"$module/go.mod" <<MODULE
module buildkite-agent-peer

go 1.26

require github.com/buildkite/agent/v$1 $2

replace drjosh.dev/zzglob => $here/agent-without-globs
MODULE
  go -C "$module" build -o "$3" "github.com/buildkite/agent/v$1"
}

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

main
