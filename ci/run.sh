#!/usr/bin/env bash
# Checks the lockfile and the repository, and says what the change does.
#
# Out, in FW_REPORT: comment.md, the text of the comment; check.sarif,
# check.gitlab.json, diff.json, for machines; status, the exit code that the run
# is to end with. Opens no connection.

here=$(dirname -- "${BASH_SOURCE[0]}")
# shellcheck source=ci/settings.sh
. "$here/settings.sh"

# A comment of GitHub has at most 65,536 characters; its own limit of 64,000
# bytes leaves room for the rest.
readonly most_bytes=65000

mkdir -p -- "$FW_REPORT"
read_entries
status=0
worst() {
  if (($1 > status)); then status=$1; fi
}

# Standard output and error of a step in files, its exit code in `code`.
step() {
  local name=$1 output=$2
  shift 2
  code=0
  "$@" >"$FW_REPORT/$output" 2>"$FW_REPORT/$name.log" || code=$?
  cat -- "$FW_REPORT/$name.log" >&2
}

lock=
if [[ -e $FW_PATH/fluxwright.lock ]]; then
  step lock lock.txt fluxwright lock "$FW_PATH" --check
  if ((code != 0)); then
    lock='The lockfile is not up to date: run `fluxwright lock`, and commit fluxwright.lock.'
    worst 1
  fi
fi

step check check.sarif fluxwright check "$FW_PATH" "${entries[@]}" \
  --fail-on "$FW_FAIL_ON" --output sarif
worst "$code"
step check check.gitlab.json fluxwright check "$FW_PATH" "${entries[@]}" \
  --fail-on never --output gitlab
step check check.md fluxwright check "$FW_PATH" "${entries[@]}" \
  --fail-on never --output markdown

difference=
if [[ -n ${FW_BASE:-} ]]; then
  check_commit "$FW_BASE"
  # What a chart leads to can be hidden: of a stranger's, everything is rendered.
  if [[ ${FW_STRANGER:-} == true ]]; then entries+=(--full); fi
  # Where the change left the base: what happened there since is not its doing.
  base=$(git -C "$FW_PATH" merge-base "$FW_BASE" HEAD 2>/dev/null || printf '%s' "$FW_BASE")
  step diff diff.json fluxwright diff "$FW_PATH" "${entries[@]}" \
    --base "$base" --fail-on "$FW_FAIL_ON" --output json
  worst "$code"
  step diff diff.md fluxwright diff "$FW_PATH" "${entries[@]}" \
    --base "$base" --fail-on never --output github
  if [[ -s $FW_REPORT/diff.md ]]; then
    difference=$FW_REPORT/diff.md
  fi
fi

{
  mark
  printf '\n## fluxwright: %s\n\n' "$(set_name)"
  [[ -z $lock ]] || printf '🛑 %s\n\n' "$lock"
  if [[ -n $difference ]]; then
    cat -- "$difference"
  elif [[ -n ${FW_BASE:-} ]]; then
    printf '🛑 The difference could not be made: see the log of the run.\n'
  fi
} >"$FW_REPORT/comment.md"
{
  printf '\n<details><summary>What <code>fluxwright check</code> finds</summary>\n\n'
  cat -- "$FW_REPORT/check.md"
  printf '\n</details>\n'
} >"$FW_REPORT/check-part.md"
size=$(cat -- "$FW_REPORT/comment.md" "$FW_REPORT/check-part.md" | wc -c)
if ((size <= most_bytes)); then
  cat -- "$FW_REPORT/check-part.md" >>"$FW_REPORT/comment.md"
else
  printf '\nWhat `fluxwright check` finds is in the report of the run: it is too long for a comment.\n' \
    >>"$FW_REPORT/comment.md"
fi
rm -f -- "$FW_REPORT/check-part.md"

printf '%s\n' "$status" >"$FW_REPORT/status"
[[ -z ${GITHUB_STEP_SUMMARY:-} ]] || cat -- "$FW_REPORT/comment.md" >>"$GITHUB_STEP_SUMMARY"
