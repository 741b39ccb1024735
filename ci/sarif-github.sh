#!/usr/bin/env bash
# Uploads the findings to code scanning.
#
# In: FW_REPORT/check.sarif, FW_SARIF (false: nothing is uploaded), FW_COMMIT and
# FW_REF, what they are of, GITHUB_TOKEN, GITHUB_API_URL, GITHUB_REPOSITORY.

here=$(dirname -- "${BASH_SOURCE[0]}")
# shellcheck source=ci/settings.sh
. "$here/settings.sh"

[[ ${FW_SARIF:-true} == true ]] || exit 0
check_commit "$FW_COMMIT"
headers=$(mktemp)
trap 'rm -f -- "$headers"' EXIT
printf 'authorization: Bearer %s\naccept: application/vnd.github+json\n' "$GITHUB_TOKEN" >"$headers"
gzip --no-name --stdout -- "$FW_REPORT/check.sarif" | base64 --wrap=0 |
  jq --raw-input --slurp --arg commit "$FW_COMMIT" --arg ref "$FW_REF" \
    '{commit_sha: $commit, ref: $ref, sarif: ., tool_name: "fluxwright"}' |
  curl --fail --silent --show-error --retry 3 --header "@$headers" --request POST --data-binary @- \
    --output /dev/null "$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/code-scanning/sarifs"
