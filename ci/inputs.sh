#!/usr/bin/env bash
# Brings what the lockfile pins into the store.
#
# Of a change by a stranger, no address is reached: what the lockfile of the
# base pins is fetched, and whatever the change adds stays away and is told.

here=$(dirname -- "${BASH_SOURCE[0]}")
# shellcheck source=ci/settings.sh
. "$here/settings.sh"

if [[ ${FW_STRANGER:-} != true ]]; then
  if [[ -e $FW_PATH/fluxwright.lock ]]; then
    fluxwright fetch "$FW_PATH"
  fi
  exit 0
fi
check_commit "${FW_BASE:-}"
git -C "$FW_PATH" cat-file -e "$FW_BASE^{commit}" 2>/dev/null ||
  die "the base $FW_BASE is not in the clone: check out with the whole history"
base=$(mktemp --directory)
trap 'rm -rf -- "$base"' EXIT
folder=$(git -C "$FW_PATH" rev-parse --show-prefix)
if git -C "$FW_PATH" cat-file -e "$FW_BASE:${folder}fluxwright.lock" 2>/dev/null; then
  # The files of the base, and nothing that a checkout would run.
  git -C "$FW_PATH" archive --format=tar "$FW_BASE:${folder%/}" |
    tar --extract --directory "$base" --no-same-owner
  fluxwright fetch "$base"
fi
