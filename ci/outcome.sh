#!/usr/bin/env bash
# Ends as the run did, after everything was reported.

here=$(dirname -- "${BASH_SOURCE[0]}")
# shellcheck source=ci/settings.sh
. "$here/settings.sh"

status=$(cat -- "$FW_REPORT/status")
check_number "$status"
case $status in
0) ;;
1) say "the answer is no: the lockfile is not up to date, or there are findings at '$FW_FAIL_ON' or above, which the log above and the comment name" ;;
*) say 'it could not be done, or not wholly: the log above and the comment say why' ;;
esac
exit "$status"
