#!/usr/bin/env bash
# shellcheck disable=SC2016 # Markdown and programs for jq in quotes
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
# shellcheck source=ci/forge.sh
. "$here/forge.sh"

[[ -n ${CI_MERGE_REQUEST_IID:-} ]] || exit 0
if [[ -z ${FW_TOKEN:-} ]]; then
  say 'no token, no comment: see comment.md among the artifacts'
  exit 0
fi
check_number "$CI_MERGE_REQUEST_IID"
check_number "$CI_MERGE_REQUEST_PROJECT_ID"
notes=$CI_API_V4_URL/projects/$CI_MERGE_REQUEST_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes
authorize "private-token: $FW_TOKEN" 'content-type: application/json'

help='FW_TOKEN must have the scope `api`, and the role Reporter or more'
persist call GET "$CI_API_V4_URL/user" || die "$help"
user=$(jq .id "$answer") || user=
check_number "$user"
persist put_comment "$notes" "$notes" PUT "$user" || die "$help"
