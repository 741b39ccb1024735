#!/usr/bin/env bash
# Puts the comment of a run on the merge request, in place of its last one.
#
# As ci/comment-github.sh; whose comments may be changed is the token's user.
# Without a token, as in pipelines of forks, nothing is written.
#
# In: FW_REPORT/comment.md, FW_TOKEN, CI_API_V4_URL, CI_MERGE_REQUEST_PROJECT_ID,
# CI_MERGE_REQUEST_IID.

here=$(dirname -- "${BASH_SOURCE[0]}")
# shellcheck source=ci/settings.sh
. "$here/settings.sh"

[[ -n ${CI_MERGE_REQUEST_IID:-} ]] || exit 0
if [[ -z ${FW_TOKEN:-} ]]; then
  printf 'fluxwright: no token, no comment: see comment.md among the artifacts\n' >&2
  exit 0
fi
check_number "$CI_MERGE_REQUEST_IID"
check_number "$CI_MERGE_REQUEST_PROJECT_ID"
notes=$CI_API_V4_URL/projects/$CI_MERGE_REQUEST_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes

headers=$(mktemp)
answer=$(mktemp)
trap 'rm -f -- "$headers" "$answer"' EXIT
printf 'private-token: %s\ncontent-type: application/json\n' "$FW_TOKEN" >"$headers"
call() {
  curl --fail --silent --show-error --retry 3 --header "@$headers" "$@"
}

call --output "$answer" "$CI_API_V4_URL/user"
user=$(jq .id "$answer")
check_number "$user"
found=
for ((page = 1; page <= 100; page++)); do
  call --output "$answer" "$notes?per_page=100&page=$page"
  found=$(jq --raw-output --arg mark "$(mark)" --argjson user "$user" \
    '[.[] | select(.author.id == $user and (.body | startswith($mark))) | .id][0] // empty' \
    "$answer")
  [[ -z $found ]] || break
  (($(jq length "$answer") == 100)) || break
done

body() {
  jq --raw-input --slurp '{body: .}' "$FW_REPORT/comment.md"
}
if [[ -n $found ]]; then
  check_number "$found"
  body | call --request PUT --data-binary @- --output "$answer" "$notes/$found"
else
  body | call --request POST --data-binary @- --output "$answer" "$notes"
fi
