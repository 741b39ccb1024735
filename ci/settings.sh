# shellcheck shell=bash
# What the other scripts have in common; read by them, not run.
#
# In: the variables below, and those of the forge. Nothing that a pull request
# can choose (titles, names of branches, file names) is ever part of a command:
# it comes in variables, and goes out in files.
#
#   FW_PATH      the repository that is checked, or a folder in it [.]
#   FW_ENTRY     entry points, one a line; all where it is empty
#   FW_BASE      the commit to compare with
#   FW_HEAD      the last commit of the change, where it is known
#   FW_STRANGER  true where the change is by somebody who may not push here
#   FW_REPORT    the folder for reports [fluxwright-report]
#   FW_STORE     the store [.fluxwright-store]
#   FW_FAIL_ON   which findings of check and diff fail the run [error]
#
# Out: the folder `scratch`, gone when the script ends.

set -euo pipefail
umask 077

FW_PATH=${FW_PATH:-.}
FW_REPORT=${FW_REPORT:-fluxwright-report}
export FLUXWRIGHT_STORE=${FW_STORE:-$PWD/.fluxwright-store}
FW_FAIL_ON=${FW_FAIL_ON:-error}

scratch=$(mktemp --directory)
resume=
finish() {
  rm -rf -- "$scratch"
  [[ -z $resume ]] || printf '::%s::\n' "$resume"
}
trap finish EXIT

# GitHub takes lines of the log for commands, and errors quote what a change
# contains: until the end of the script, none of its lines is one.
if [[ ${GITHUB_ACTIONS:-} == true ]]; then
  exec 2>&1
  resume=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  printf '::stop-commands::%s\n' "$resume"
fi

say() {
  printf 'fluxwright: %s\n' "$1" >&2
}

die() {
  say "$1"
  exit 2
}

# A commit is a commit, and nothing that git would take for an option.
check_commit() {
  [[ $1 =~ ^[0-9a-f]{40}([0-9a-f]{24})?$ ]] || die "no commit: '$1'"
}

check_number() {
  [[ $1 =~ ^[0-9]+$ ]] || die "no number: '$1'"
}

# shellcheck disable=SC2034 # the other scripts read them
# The clone that FW_PATH lies in, `top`, and the root of what is checked, `root`,
# as the program finds it; `prefix` leads from the one to the other.
#
# A clone is where `.git` is, which no commit can contain. Git itself would also
# take a folder for one that looks like a bare repository, with settings that
# are commands.
locate() {
  local at
  at=$(cd -P -- "$FW_PATH" && pwd -P)
  root=$at
  top=
  prefix=
  local found=
  while [[ -n $at ]]; do
    if [[ -z $found && (-e $at/.git || -e $at/fluxwright.lock || -e $at/.fluxwright.yaml) ]]; then
      root=$at
      found=true
    fi
    if [[ -e $at/.git ]]; then
      top=$at
      break
    fi
    at=${at%/*}
  done
  if [[ -n $top && $root != "$top" ]]; then prefix=${root#"$top"/}/; fi
}

# Git in that clone.
clone() {
  [[ -n $top ]] || return 1
  git --git-dir="$top/.git" --work-tree="$top" "$@"
}

# Refuses a folder that the change brings, or that a link of it leads to: what is
# written there could land anywhere, and a store could hold results that nobody
# made.
check_folder() {
  local at parent name brought what=folder
  [[ -n $top ]] || return 0
  at=$(realpath --canonicalize-missing --no-symlinks -- "$1")
  # The folder itself, and each link on the way to it.
  while [[ $at != / ]]; do
    if [[ $what == folder || -L $at ]]; then
      parent=$(realpath --canonicalize-missing -- "$(dirname -- "$at")")
      name=$parent/${at##*/}
      if [[ $name/ == "$top"/* ]]; then
        name=${name#"$top"}
        brought=$(cd -- "$top" && clone ls-files -- ":(top,literal)${name#/}") || brought=unknown
        [[ -z $brought ]] ||
          die "'$1' is a folder for results, and the repository has something there: name another one"
      fi
    fi
    what=
    at=$(dirname -- "$at")
  done
}

# The options that choose entry points, in the array `entries`.
read_entries() {
  entries=()
  local line
  while IFS= read -r line; do
    line=${line#"${line%%[![:space:]]*}"}
    line=${line%"${line##*[![:space:]]}"}
    [[ -z $line ]] || entries+=("--entry=$line")
  done <<<"${FW_ENTRY:-}"
}

# The name that is given to a set of clusters, else its entry points, whatever
# their order; a word a line.
set_words() {
  printf '%s' "${FW_NAME:-${FW_ENTRY:-all}}" | tr -s '[:space:]' '\n' | sed '/^$/d' |
    if [[ -n ${FW_NAME:-} ]]; then cat; else LC_ALL=C sort -u; fi
}

# The same as text that is harmless everywhere, and not too long for a title.
set_name() {
  local name
  name=$(set_words | tr '\n' '+' | LC_ALL=C tr -c 'A-Za-z0-9._+-' '_')
  name=${name%+}
  if ((${#name} > 100)); then name=${name:0:97}...; fi
  printf '%s' "$name"
}

# The first line of the comment, by which it is found again. Where names had to be
# made harmless, a digest tells those apart that look alike now.
mark() {
  local words digest=
  words=$(set_words)
  if [[ $words == *[!A-Za-z0-9._$'\n'-]* || ${#words} -gt 100 ]]; then
    digest=$(printf '%s' "$words" | sha256sum)
    digest=" ${digest:0:12}"
  fi
  printf '<!-- fluxwright: %s%s -->' "$(set_name)" "$digest"
}
