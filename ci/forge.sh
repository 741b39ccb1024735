# shellcheck shell=bash disable=SC2154,SC2016
# Calls to a forge; read by the scripts that make them, after `settings.sh`.
#
# Every function that calls gives 0; or 1, when it said what the forge refused;
# or 3, where the forge asks for another try.

readonly again=3
answer=$scratch/answer

# The headers of every call. The token is in a file, so that no list of processes
# shows it.
authorize() {
  printf '%s\n' "$@" >"$scratch/headers"
}

# call METHOD ADDRESS [FILE]: the answer is in `answer`, its code in `code`.
call() {
  local options=(--silent --show-error --header "@$scratch/headers"
    --dump-header "$scratch/head" --output "$answer" --write-out '%{http_code}'
    --max-time 60 --request "$1")
  if (($# > 2)); then options+=(--data-binary "@$3"); fi
  : >"$scratch/head"
  : >"$answer"
  code=$(curl "${options[@]}" -- "$2") || code=0
  case $code in
  2??) return 0 ;;
  0 | 429 | 5??) return "$again" ;;
  # GitHub says so, too, to those who called too often.
  403) if header retry-after >/dev/null || [[ $(header x-ratelimit-remaining) == 0 ]]; then return "$again"; fi ;;
  esac
  refused
  return 1
}

# A header of the last answer.
header() {
  tr -d '\r' <"$scratch/head" | grep -i "^$1:" | tail -n 1 | sed 's/^[^:]*: *//'
}

refused() {
  local why
  if ((code == 0)); then
    say 'the forge cannot be reached'
    return
  fi
  why=$(jq --raw-output '.message // .error // empty | tostring' "$answer" 2>/dev/null | head -c 500) || true
  say "the forge answered $code${why:+: $why}"
}

# Waits for as long as the forge asks to, before the try after this one.
wait_for_forge() {
  local seconds reset
  seconds=$(header retry-after) || seconds=
  if [[ ! $seconds =~ ^[0-9]+$ ]]; then
    seconds=$((2 ** $1))
    reset=$(header x-ratelimit-reset) || reset=
    if [[ $(header x-ratelimit-remaining) == 0 && $reset =~ ^[0-9]+$ ]]; then
      seconds=$((reset - $(date +%s) + 1))
    fi
  fi
  if ((seconds > 120)); then
    refused
    say "it asks to wait for $seconds seconds: run this again later"
    return 1
  fi
  if ((seconds > 0)); then sleep "$seconds"; fi
}

# persist FUNCTION ARGUMENT…: calls it until it is done or refused.
persist() {
  local try result
  for try in 1 2 3 4; do
    result=0
    "$@" || result=$?
    ((result == again)) || return "$result"
    ((try == 4)) || wait_for_forge "$try" || return 1
  done
  refused
  return 1
}

# find_comments LIST AUTHOR: in `found`, the numbers of the comments in LIST that begin
# with the mark and are by AUTHOR, the oldest first. In jq, AUTHOR compares with
# `$author`.
find_comments() {
  local list=$1 author=$2 page
  : >"$scratch/found"
  for ((page = 1; page <= 100; page++)); do
    call GET "$list?per_page=100&page=$page" || return
    jq --raw-output --arg mark "$(mark)" --arg author "$author" \
      '.[] | select((.user.login? == $author or (.author.id? | tostring) == $author)
        and (.body // "" | startswith($mark))) | .id' "$answer" >>"$scratch/found" || {
      say 'the forge answered what is no list of comments'
      return 1
    }
    header link | grep -q 'rel="next"' || break
  done
  found=$(sort -n "$scratch/found")
}

# put_comment LIST ONE METHOD AUTHOR: writes comment.md in place of the comment that
# `find_comments LIST AUTHOR` finds, by METHOD to ONE/NUMBER; where there is none, into
# LIST. Of several, which runs at the same time have made, the oldest is left. Whose it
# is, is in `writer`.
put_comment() {
  local list=$1 one=$2 method=$3 author=$4 first number result
  find_comments "$list" "$author" || return
  jq --raw-input --slurp '{body: .}' "$FW_REPORT/comment.md" >"$scratch/body" || return 1
  if [[ -z $found ]]; then
    call POST "$list" "$scratch/body" || return
    wrote
    # The next run does what this one cannot.
    find_comments "$list" "$author" || return 0
    [[ $found == *$'\n'* ]] || return 0
  fi
  first=${found%%$'\n'*}
  for number in $found; do check_number "$number"; done
  result=0
  call "$method" "$one/$first" "$scratch/body" || result=$?
  # It is gone since: the next try writes another one.
  if [[ $code == 404 ]]; then return "$again"; fi
  ((result == 0)) || return "$result"
  wrote
  for number in ${found#"$first"}; do
    call DELETE "$one/$number" || (($? != again)) || return "$again"
  done
}

wrote() {
  writer=$(jq --raw-output '.user.login? // empty' "$answer") || writer=
}
