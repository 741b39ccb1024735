#!/usr/bin/env bash
# Puts the program on the PATH of the steps that follow.
#
# In: FW_PROGRAM, a program that is there already; or FW_DOWNLOAD, the address
# of an archive of a release, and FW_SHA256, its digest, which must be right.
# Out: the folder `fluxwright-bin`, in GITHUB_PATH where there is such a file.

here=$(dirname -- "${BASH_SOURCE[0]}")
# shellcheck source=ci/settings.sh
. "$here/settings.sh"

folder=${RUNNER_TEMP:-$PWD}/fluxwright-bin
mkdir -p -- "$folder"
if [[ -n ${FW_PROGRAM:-} ]]; then
  ln -sf -- "$FW_PROGRAM" "$folder/fluxwright"
else
  [[ -n ${FW_DOWNLOAD:-} ]] || die 'name a program (FW_PROGRAM) or a release (FW_DOWNLOAD, FW_SHA256)'
  [[ ${FW_SHA256:-} =~ ^[0-9a-f]{64}$ ]] || die 'FW_SHA256 is no digest: 64 hexadecimal digits'
  archive=$(mktemp)
  trap 'rm -f -- "$archive"' EXIT
  curl --fail --silent --show-error --location --proto '=https,http' --retry 3 \
    --output "$archive" -- "$FW_DOWNLOAD"
  printf '%s  %s\n' "$FW_SHA256" "$archive" | sha256sum --check --status ||
    die "what lies at $FW_DOWNLOAD has another digest than FW_SHA256"
  tar --extract --gzip --file "$archive" --directory "$folder" --no-same-owner fluxwright
fi
[[ -z ${GITHUB_PATH:-} ]] || printf '%s\n' "$folder" >>"$GITHUB_PATH"
"$folder/fluxwright" --version
