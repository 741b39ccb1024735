# What the other scripts have in common; read by them, not run.
#
# In: the variables below, and those of the forge. Nothing that a pull request
# can choose (titles, names of branches, file names) is ever part of a command:
# it comes in variables, and goes out in files.
#
#   FW_PATH      the repository that is checked [.]
#   FW_ENTRY     entry points, one a line; all where it is empty
#   FW_BASE      the commit to compare with
#   FW_STRANGER  true where the change is by somebody who may not push here
#   FW_REPORT    the folder for reports [fluxwright-report]
#   FW_STORE     the store [.fluxwright-store]
#   FW_FAIL_ON   which findings of check and diff fail the run [error]

set -euo pipefail
umask 077

FW_PATH=${FW_PATH:-.}
FW_REPORT=${FW_REPORT:-fluxwright-report}
export FLUXWRIGHT_STORE=${FW_STORE:-$PWD/.fluxwright-store}
FW_FAIL_ON=${FW_FAIL_ON:-error}

die() {
  printf 'fluxwright: %s\n' "$1" >&2
  exit 2
}

# A commit is a commit, and nothing that git would take for an option.
check_commit() {
  [[ $1 =~ ^[0-9a-f]{40}([0-9a-f]{24})?$ ]] || die "no commit: '$1'"
}

check_number() {
  [[ $1 =~ ^[0-9]+$ ]] || die "no number: '$1'"
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

# The same as text that is harmless everywhere.
set_name() {
  local name
  name=$(set_words | tr '\n' '+' | LC_ALL=C tr -c 'A-Za-z0-9._+-' '_')
  printf '%s' "${name%+}"
}

# The first line of the comment, by which it is found again. Where names had to be
# made harmless, a digest tells those apart that look alike now.
mark() {
  local words digest=
  words=$(set_words)
  if [[ $words == *[!A-Za-z0-9._$'\n'-]* ]]; then
    digest=$(printf '%s' "$words" | sha256sum)
    digest=" ${digest:0:12}"
  fi
  printf '<!-- fluxwright: %s%s -->' "$(set_name)" "$digest"
}
