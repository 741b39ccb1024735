#!/usr/bin/env bash
# Brings what the lockfile pins into the store.
#
# Of a change by a stranger, no address is reached: what the lockfile of the
# base pins is fetched, and whatever the change adds stays away and is told.
#
# Out: FW_REPORT/inputs.failed, where something could not be fetched; `run.sh`
# tells it with the rest.

here=$(dirname -- "${BASH_SOURCE[0]}")
# shellcheck source=ci/settings.sh
. "$here/settings.sh"

locate
check_folder "$FW_REPORT"
check_folder "$FLUXWRIGHT_STORE"
mkdir -p -- "$FW_REPORT"
rm -f -- "$FW_REPORT/inputs.failed"

fetch() {
  fluxwright fetch "$1" || : >"$FW_REPORT/inputs.failed"
}

if [[ ${FW_STRANGER:-} != true ]]; then
  if [[ -e $root/fluxwright.lock ]]; then fetch "$root"; fi
  exit 0
fi
check_commit "${FW_BASE:-}"
clone cat-file -e "$FW_BASE^{commit}" 2>/dev/null ||
  die "the base $FW_BASE is not in the clone: check out with the whole history"
if ! clone cat-file -e "$FW_BASE:${prefix}fluxwright.lock" 2>/dev/null; then exit 0; fi

# The files of the base as they were committed: the repository has its own
# settings, and no attribute is followed, as filters are commands, and one that
# brings large files would go where the change says.
objects=$(clone rev-parse --git-path objects)
git init --quiet --bare --object-format="$(clone rev-parse --show-object-format)" "$scratch/view"
(cd -P -- "$objects" && pwd -P) >"$scratch/view/objects/info/alternates"
printf '* -filter -ident -text -eol -working-tree-encoding -export-ignore -export-subst\n' \
  >"$scratch/view/info/attributes"
mkdir -- "$scratch/base"
git --git-dir="$scratch/view" archive --format=tar "$FW_BASE:${prefix%/}" |
  tar --extract --directory "$scratch/base" --no-same-owner
fetch "$scratch/base"
