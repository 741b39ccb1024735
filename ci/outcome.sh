#!/usr/bin/env bash
# Ends as the run did, after everything was reported.

here=$(dirname -- "${BASH_SOURCE[0]}")
# shellcheck source=ci/settings.sh
. "$here/settings.sh"

status=$(cat -- "$FW_REPORT/status")
check_number "$status"
exit "$status"
