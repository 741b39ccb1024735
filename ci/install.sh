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
  # A name is looked for on the PATH, as a shell does.
  program=$(type -P -- "$FW_PROGRAM") || die "there is no program '$FW_PROGRAM' (FW_PROGRAM)"
  ln -sfn -- "$(realpath -- "$program")" "$folder/fluxwright"
else
  [[ -n ${FW_DOWNLOAD:-} ]] || die 'name a program (FW_PROGRAM) or a release (FW_DOWNLOAD, FW_SHA256)'
  [[ ${FW_SHA256:-} =~ ^[0-9a-f]{64}$ ]] || die 'FW_SHA256 is no digest: 64 hexadecimal digits'
  curl --fail --silent --show-error --location --proto '=https,http' --retry 3 \
    --output "$scratch/archive" -- "$FW_DOWNLOAD" || die "cannot download '$FW_DOWNLOAD' (FW_DOWNLOAD)"
  printf '%s  %s\n' "$FW_SHA256" "$scratch/archive" | sha256sum --check --status ||
    die "what lies at $FW_DOWNLOAD has another digest than FW_SHA256"
  # Releases hold one folder with everything; archives of others, the program.
  mkdir -- "$scratch/release"
  tar --extract --gzip --file "$scratch/archive" --directory "$scratch/release" --no-same-owner
  program=$(find "$scratch/release" -maxdepth 2 -type f -name fluxwright -print -quit)
  [[ -n $program ]] || die "there is no program \`fluxwright\` in what lies at $FW_DOWNLOAD"
  rm -f -- "$folder/fluxwright"
  mv -- "$program" "$folder/fluxwright"
fi
[[ -z ${GITHUB_PATH:-} ]] || printf '%s\n' "$folder" >>"$GITHUB_PATH"
"$folder/fluxwright" --version
