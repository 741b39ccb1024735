#!/usr/bin/env bash
# Puts the comment of a run on the pull request, in place of its last one.
#
# One comment for each set of clusters: its first line says which, and only
# comments by FW_COMMENT_AUTHOR that begin so are ever changed.
#
# In: FW_REPORT/comment.md, FW_PULL_REQUEST, GITHUB_TOKEN, GITHUB_API_URL,
# GITHUB_REPOSITORY.

here=$(dirname -- "${BASH_SOURCE[0]}")
# shellcheck source=ci/settings.sh
. "$here/settings.sh"

[[ -n ${FW_PULL_REQUEST:-} ]] || exit 0
check_number "$FW_PULL_REQUEST"
author=${FW_COMMENT_AUTHOR:-github-actions[bot]}
api=$GITHUB_API_URL/repos/$GITHUB_REPOSITORY

# The token is in a file that no list of processes shows.
headers=$(mktemp)
answer=$(mktemp)
trap 'rm -f -- "$headers" "$answer"' EXIT
printf 'authorization: Bearer %s\naccept: application/vnd.github+json\n' "$GITHUB_TOKEN" >"$headers"
call() {
  curl --fail --silent --show-error --retry 3 --header "@$headers" "$@"
}

found=
for ((page = 1; page <= 100; page++)); do
  call --output "$answer" "$api/issues/$FW_PULL_REQUEST/comments?per_page=100&page=$page"
  found=$(jq --raw-output --arg mark "$(mark)" --arg author "$author" \
    '[.[] | select(.user.login == $author and (.body | startswith($mark))) | .id][0] // empty' \
    "$answer")
  [[ -z $found ]] || break
  (($(jq length "$answer") == 100)) || break
done

body() {
  jq --raw-input --slurp '{body: .}' "$FW_REPORT/comment.md"
}
if [[ -n $found ]]; then
  check_number "$found"
  body | call --request PATCH --data-binary @- --output "$answer" "$api/issues/comments/$found"
else
  body | call --request POST --data-binary @- --output "$answer" "$api/issues/$FW_PULL_REQUEST/comments"
fi
