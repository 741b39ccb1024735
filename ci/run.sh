#!/usr/bin/env bash
# shellcheck disable=SC2016 # Markdown and programs for jq in quotes
# Checks the lockfile and the repository, and says what the change does.
#
# Out, in FW_REPORT: comment.md, the text of the comment; check.txt, what was
# found, as the log shows it; check.sarif, check.gitlab.json, diff.json, for
# machines, with files as the forge names them; status, the exit code that the
# run is to end with. Opens no connection.

here=$(dirname -- "${BASH_SOURCE[0]}")
# shellcheck source=ci/settings.sh
. "$here/settings.sh"

# A comment of GitHub has at most 65,536 characters; that of a difference has at
# most 64,000 bytes, which leaves room for the rest.
readonly most_bytes=65000

locate
check_folder "$FW_REPORT"
check_folder "$FLUXWRIGHT_STORE"
mkdir -p -- "$FW_REPORT"
# Nothing of an earlier run is taken for a result of this one.
rm -f -- "$FW_REPORT"/{comment.md,status,lock.{txt,log},check.{txt,log,md,sarif,gitlab.json},diff.{json,log,md}}
read_entries
status=0
worst() {
  if (($1 > status)); then status=$1; fi
}

# Standard output and error of a step in files, its exit code in `code`. What is
# for people is in the log, too.
step() {
  local name=$1 output=$2
  shift 2
  code=0
  "$@" >"$FW_REPORT/$output" 2>"$FW_REPORT/$name.log" || code=$?
  if [[ $output == *.txt ]]; then cat -- "$FW_REPORT/$output"; fi
  cat -- "$FW_REPORT/$name.log" >&2
}

# The same in another form: what it tells, it has told, unless there is no form.
form() {
  local output=$1
  shift
  "$@" >"$FW_REPORT/$output" 2>"$scratch/errors" || true
  [[ -s $FW_REPORT/$output ]] || cat -- "$scratch/errors" >&2
}

# Paths from the root of the clone, which the forge counts from, in a report
# that counts from the root of what is checked.
from_top() {
  [[ -n $prefix ]] || return 0
  jq --arg prefix "$prefix" "$2" "$FW_REPORT/$1" >"$scratch/report"
  cat -- "$scratch/report" >"$FW_REPORT/$1"
}

notes=()
if [[ -e $FW_REPORT/inputs.failed ]]; then
  notes+=('🛑 What the lockfile pins could not be fetched: see the log of the run.')
  worst 2
fi
if [[ -e $root/fluxwright.lock ]]; then
  step lock lock.txt fluxwright lock "$FW_PATH" --check
  worst "$code"
  case $code in
  0) ;;
  1) notes+=('🛑 The lockfile is not up to date: run `fluxwright lock`, and commit fluxwright.lock.') ;;
  *) notes+=('🛑 The lockfile could not be checked: see the log of the run.') ;;
  esac
fi

check=(fluxwright check "$FW_PATH" "${entries[@]}")
step check check.txt "${check[@]}" --fail-on "$FW_FAIL_ON"
worst "$code"
form check.sarif "${check[@]}" --fail-on never --output sarif
form check.gitlab.json "${check[@]}" --fail-on never --output gitlab
form check.md "${check[@]}" --fail-on never --output markdown
from_top check.sarif '(.runs[].results[].locations[]?.physicalLocation?.artifactLocation | select(.) | .uri)
  |= ($prefix | split("/") | map(@uri) | join("/")) + .'
from_top check.gitlab.json 'map(.location.path |= $prefix + .)'

difference=
if [[ -n ${FW_BASE:-} ]]; then
  check_commit "$FW_BASE"
  # Where the change left the base: what happened there since is not its doing.
  base=$(clone merge-base "$FW_BASE" HEAD 2>/dev/null || printf '%s' "$FW_BASE")
  # Or what forges check out, the change merged into its base as it is now.
  if [[ -n ${FW_HEAD:-} && $(clone rev-parse --quiet --verify 'HEAD^2' 2>/dev/null) == "$FW_HEAD" ]]; then
    base=$(clone rev-parse 'HEAD^1')
  fi
  compare=(fluxwright diff "$FW_PATH" "${entries[@]}" --base "$base")
  # What a chart leads to can be hidden: of a stranger's, everything is rendered.
  if [[ ${FW_STRANGER:-} == true ]]; then compare+=(--full); fi
  step diff diff.json "${compare[@]}" --fail-on "$FW_FAIL_ON" --output json
  worst "$code"
  form diff.md "${compare[@]}" --fail-on never --output github
  if [[ -s $FW_REPORT/diff.md ]]; then
    difference=$FW_REPORT/diff.md
    jq --raw-output '.findings[] | "\(.severity)[\(.rule)]: \(.message)"' "$FW_REPORT/diff.json" || true
  else
    notes+=('🛑 The difference could not be made: see the log of the run.')
  fi
  settings() {
    clone rev-parse --quiet --verify "$1:$prefix.fluxwright.yaml" 2>/dev/null || true
  }
  if [[ -n $top && $(settings "$base") != "$(settings HEAD)" ]]; then
    notes+=('⚠️ The change is to `.fluxwright.yaml`, too, which says what is looked for.')
  fi
fi

comment=$FW_REPORT/comment.md
{
  mark
  printf '\n## fluxwright: %s\n\n' "$(set_name)"
  if ((${#notes[@]} > 0)); then printf '%s\n\n' "${notes[@]}"; fi
  if [[ -n $difference ]]; then cat -- "$difference"; fi
} >"$comment"
{
  printf '\n<details><summary>What <code>fluxwright check</code> finds</summary>\n\n'
  cat -- "$FW_REPORT/check.md"
  printf '\n</details>\n'
} >"$scratch/part.md"
size=$(cat -- "$comment" "$scratch/part.md" | wc -c)
if ((size <= most_bytes)); then
  cat -- "$scratch/part.md" >>"$comment"
else
  printf '\nWhat `fluxwright check` finds is too long for a comment, and in the report of the run: %s.\n' \
    "$(sed -n 's/ ([0-9.]* s)$//p' "$FW_REPORT/check.log" | tail -n 1)" >>"$comment"
fi

printf '%s\n' "$status" >"$FW_REPORT/status"
[[ -z ${GITHUB_STEP_SUMMARY:-} ]] || cat -- "$comment" >>"$GITHUB_STEP_SUMMARY"
