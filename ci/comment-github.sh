#!/usr/bin/env bash
# shellcheck disable=SC2016 # Markdown and programs for jq in quotes
# Puts the comment of a run on the pull request, in place of its last one.
#
# One comment for each set of clusters: its first line says which, and only
# comments by FW_COMMENT_AUTHOR that begin so are ever changed. Where the token
# of a stranger's run may not write, that is said, and no failure.
#
# In: FW_REPORT/comment.md, FW_PULL_REQUEST, GITHUB_TOKEN, GITHUB_API_URL,
# GITHUB_REPOSITORY.

here=$(dirname -- "${BASH_SOURCE[0]}")
# shellcheck source=ci/settings.sh
. "$here/settings.sh"
# shellcheck source=ci/forge.sh
. "$here/forge.sh"

[[ -n ${FW_PULL_REQUEST:-} ]] || exit 0
check_number "$FW_PULL_REQUEST"
author=${FW_COMMENT_AUTHOR:-github-actions[bot]}
api=$GITHUB_API_URL/repos/$GITHUB_REPOSITORY
authorize "authorization: Bearer $GITHUB_TOKEN" 'accept: application/vnd.github+json' \
  'content-type: application/json'

if persist put_comment "$api/issues/$FW_PULL_REQUEST/comments" "$api/issues/comments" PATCH "$author"; then
  if [[ -n $writer && $writer != "$author" ]]; then
    say "the comment is by '$writer', so that the next run will not find it: set \`comment-author: $writer\`"
  fi
elif [[ $code == 403 && ${FW_STRANGER:-} == true ]]; then
  say 'the token of this run may only read, as those of forks do: the comment is in the summary of the run'
else
  if [[ $code == 403 ]]; then say 'does the job have `permissions: {pull-requests: write}`?'; fi
  exit 1
fi
