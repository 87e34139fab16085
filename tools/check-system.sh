#!/usr/bin/env bash
# Looks for what pip cannot bring and says which command installs it.
#   tools/check-system.sh [--list] TARGET...     TARGET: build (the package alone), native (also its native programs),
#                                                arm64 (also their cross build, and the emulator for its tests)
# Exit status 0 if all is there, 1 if not. --list prints the missing Debian packages, one a line, and nothing else; for scripts.
set -u

python=${PYTHON:-python3}
cxx=${CXX:-g++}
list=no
packages=()
notes=()

missing() { # PACKAGE WHY
  packages+=("$1")
  notes+=("$2")
}

has_header() { # HEADER
  printf '#include <%s>\n' "$1" | "$cxx" -std=c++20 -E -x c++ - >/dev/null 2>&1
}

check_python() {
  local name=python3
  # A Debian package of another Python than the default one carries its number.
  [[ $(basename "$python") =~ ^python3\.[0-9]+$ ]] && name=$(basename "$python")
  if ! command -v "$python" >/dev/null; then
    missing "$name" "$python: not found"
    missing "$name-venv" "Python's venv module"
    missing "$name-dev" "Python.h"
    return
  fi
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "error: $python is $("$python" -V 2>&1), 3.11 or newer is needed; name another one: make PYTHON=python3.12 ..." >&2
    exit 1
  fi
  "$python" -c 'import ensurepip, venv' 2>/dev/null || missing "$name-venv" "Python's venv module"
  "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
    missing "$name-dev" "Python.h"
}

check_compiler() {
  command -v make >/dev/null || missing make "make: not found"
  if ! command -v "$cxx" >/dev/null; then
    missing g++ "$cxx: not found"
    # Without a compiler the headers cannot be asked for; their packages are small.
    missing nlohmann-json3-dev "nlohmann/json.hpp"
    [[ $1 == native ]] && missing doctest-dev "doctest/doctest.h"
    return
  fi
  if ! echo 'int main() {}' | "$cxx" -std=c++20 -x c++ -o /dev/null - 2>/dev/null; then
    echo "error: $cxx ($("$cxx" -dumpfullversion)) cannot build C++20; name another compiler: make CXX=g++-12 ..." >&2
    exit 1
  fi
  has_header nlohmann/json.hpp || missing nlohmann-json3-dev "nlohmann/json.hpp"
  [[ $1 != native ]] || has_header doctest/doctest.h || missing doctest-dev "doctest/doctest.h"
}

check_arm64() {
  command -v aarch64-linux-gnu-g++ >/dev/null || missing g++-aarch64-linux-gnu "aarch64-linux-gnu-g++: not found"
  command -v qemu-aarch64 >/dev/null || missing qemu-user "qemu-aarch64: not found"
}

arm64=no
target=build
for argument in "$@"; do
  case $argument in
    --list) list=yes ;;
    build) ;;
    native) target=native ;;
    arm64) target=native arm64=yes ;;
    *)
      echo "error: check-system.sh: unknown argument '$argument'; expected --list, build, native or arm64" >&2
      exit 2
      ;;
  esac
done

check_python
check_compiler "$target"
[[ $arm64 == no ]] || check_arm64
((${#packages[@]})) || exit 0
if [[ $list == yes ]]; then
  printf '%s\n' "${packages[@]}"
else
  echo "error: this system lacks:" >&2
  printf '  %s\n' "${notes[@]}" >&2
  echo "On Debian or Ubuntu this mends it:" >&2
  sudo=
  [[ $EUID -eq 0 ]] || sudo="sudo "
  echo "  ${sudo}apt-get install -y ${packages[*]}" >&2
fi
exit 1
