#!/usr/bin/env bash
# shellcheck disable=SC2016 # Markdown and programs for jq in quotes
# Uploads the findings to code scanning.
#
# In: FW_REPORT/check.sarif, FW_SARIF (false: nothing is uploaded), FW_COMMIT and
# FW_REF, what they are of, GITHUB_TOKEN, GITHUB_API_URL, GITHUB_REPOSITORY.

here=$(dirname -- "${BASH_SOURCE[0]}")
# shellcheck source=ci/settings.sh
. "$here/settings.sh"
# shellcheck source=ci/forge.sh
. "$here/forge.sh"

# GitHub takes no more findings at once.
readonly most_results=25000

[[ ${FW_SARIF:-true} == true ]] || exit 0
check_commit "$FW_COMMIT"
authorize "authorization: Bearer $GITHUB_TOKEN" 'accept: application/vnd.github+json' \
  'content-type: application/json'
jq --argjson most "$most_results" '.runs[].results |= if length > $most
  then sort_by({error: 0, warning: 1}[.level] // 2)[:$most] else . end' "$FW_REPORT/check.sarif" |
  gzip --no-name --stdout | base64 --wrap=0 |
  jq --raw-input --slurp --arg commit "$FW_COMMIT" --arg ref "$FW_REF" \
    '{commit_sha: $commit, ref: $ref, sarif: ., tool_name: "fluxwright"}' >"$scratch/sarif"
if persist call POST "$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/code-scanning/sarifs" "$scratch/sarif"; then
  exit 0
fi
if [[ $code == 403 && ${FW_STRANGER:-} == true ]]; then
  say 'the token of this run may only read, as those of forks do: the findings are in check.sarif'
  exit 0
fi
if [[ $code == 403 ]]; then
  say 'is code scanning on, and does the job have `permissions: {security-events: write}`?'
fi
exit 1
